// Keys of the page; those of a field that is written in, or a list, stay its own.
import { byId } from "./make.js";

const STEP_PX = 60;

export const listen = (does) => {
  const { view } = does;
  const move = (x, y) => view.move((x * STEP_PX) / view.zoom, (y * STEP_PX) / view.zoom);
  const keys = {
    ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0), ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1),
    "+": () => view.scale(1.5), "=": () => view.scale(1.5), "-": () => view.scale(1 / 1.5),
    f: does.fit, 0: does.fit, r: does.exact, c: does.turnCells, v: does.turnBeside,
    "[": () => does.toField(does.field() - 1), "]": () => does.toField(does.field() + 1),
    p: () => does.toAlike(-1), n: () => does.toAlike(1), "?": () => turnHelp(),
  };
  const turnHelp = () => {
    const list = byId("key-list");
    list.hidden = !list.hidden;
    byId("keys").setAttribute("aria-expanded", String(!list.hidden));
  };
  byId("keys").addEventListener("click", turnHelp);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target instanceof Element && event.target.matches("select, input:not([type=checkbox])");
    if (own) return;
    if (/^[1-9]$/.test(event.key)) does.turnChannel(Number(event.key) - 1);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
};
