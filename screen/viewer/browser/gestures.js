// Mouse, wheel and touch on a pane: drag moves, wheel and two fingers zoom.

export const follow = (picture, { onPoint, onLeave }) => {
  const { view, marks } = picture, fingers = new Map();

  marks.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const at = picture.point(event);
    view.scale(Math.exp(-event.deltaY * lines * 0.0016), at.x, at.y);
  }, { passive: false });

  marks.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    marks.setPointerCapture(event.pointerId);
    marks.classList.add("held");
  });

  marks.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) {
      onPoint(picture, event);
      return;
    }
    if (fingers.size === 1) {
      view.move((before.clientX - event.clientX) / view.zoom, (before.clientY - event.clientY) / view.zoom);
    } else if (fingers.size === 2) {
      pinch(before, event);
    }
    fingers.set(event.pointerId, event);
  });

  const pinch = (before, event) => {
    const [other] = [...fingers.entries()].filter(([id]) => id !== event.pointerId).map(([, e]) => e);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    const at = picture.point(middle);
    view.scale(apart(event) / Math.max(apart(before), 1), at.x, at.y);
    view.move((before.clientX - event.clientX) / 2 / view.zoom, (before.clientY - event.clientY) / 2 / view.zoom);
  };

  const lift = (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) marks.classList.remove("held");
    if (event.pointerType !== "mouse") onPoint(picture, event);
  };
  marks.addEventListener("pointerup", lift);
  marks.addEventListener("pointercancel", lift);
  marks.addEventListener("pointerleave", () => onLeave(picture));
  marks.addEventListener("dblclick", (event) => {
    const at = picture.point(event);
    view.scale(2, at.x, at.y);
  });
};
