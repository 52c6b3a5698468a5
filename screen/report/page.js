"use strict";
// What every section uses: nodes, data islands, the tip, addresses within the page.
const seno = (() => {
  const make = (name, text, kind) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const makeSvg = (name, attributes, ...inside) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...inside);
    return node;
  };

  // Islands: gzip in base64, opened once and when asked for.
  const opened = new Map();
  const open = async (node) => {
    if (!node) return null;
    const bytes = Uint8Array.from(atob(node.textContent), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(plain).json();
  };
  const data = (name) => {
    if (!opened.has(name)) opened.set(name, open(document.getElementById("data-" + name)));
    return opened.get(name);
  };

  // Runs once, when a node comes near the window (or is asked for by print).
  const waiting = new Map();
  const watch = new IntersectionObserver((seen) => seen.forEach((s) => {
    if (s.isIntersecting) reach(s.target);
  }), { rootMargin: "800px" });
  const reach = (node) => {
    const run = waiting.get(node);
    waiting.delete(node);
    watch.unobserve(node);
    if (run) run(node);
  };
  const whenNear = (node, run) => {
    waiting.set(node, run);
    watch.observe(node);
  };
  addEventListener("beforeprint", () => [...waiting.keys()].forEach(reach));

  // The tip beside a box of the window.
  const tip = document.getElementById("tip");
  const showTip = (box, ...parts) => {
    tip.replaceChildren(...parts);
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const left = box.right + 12 + width > innerWidth ? box.left - 12 - width : box.right + 12;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, Math.min(box.top, innerHeight - height - 8)) + "px";
  };
  const hideTip = () => { tip.hidden = true; };

  // Addresses within the page: #compound=12, #well=P01/A03. A section takes its key.
  const takers = new Map();
  const address = () => {
    try {
      return decodeURIComponent(location.hash.slice(1)).split(/=(.*)/s);
    } catch {
      return [];
    }
  };
  const follow = () => {
    const [key, value] = address();
    if (value !== undefined && takers.has(key)) takers.get(key)(value);
  };
  const take = (key, run) => {
    takers.set(key, run);
    if (address()[0] === key) follow();
  };
  addEventListener("hashchange", follow);

  // The page lies in a file, or the viewer serves it and can show any well in full.
  const viewer = location.protocol === "http:";
  const wellAddress = (plate, well) => !viewer ? null :
    "/well?plate=" + encodeURIComponent(plate) + "&well=" + encodeURIComponent(well);

  return { make, makeSvg, data, whenNear, showTip, hideTip, take, viewer, wellAddress };
})();
