// Nodes without markup in text, answers of the server, and small numbers.

export const make = (name, text, kind) => {
  const node = document.createElement(name);
  if (text !== undefined && text !== null) node.textContent = text;
  if (kind) node.className = kind;
  return node;
};

export const makeSvg = (name, attributes, ...inside) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
};

export const button = (text, title, run) => {
  const node = make("button", text);
  node.type = "button";
  node.title = title;
  node.addEventListener("click", run);
  return node;
};

export const byId = (id) => document.getElementById(id);

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// What the server says is wrong: a list of problems, or one line.
export class Wrong extends Error {
  constructor(text, problems) {
    super(text);
    this.problems = problems || [];
  }
}

const query = (facts) => "?" + new URLSearchParams(facts).toString();

const asked = async (path, facts) => {
  let answer;
  try {
    answer = await fetch("/api/" + path + (facts ? query(facts) : ""), { cache: "no-store" });
  } catch {
    throw new Wrong("The viewer does not answer; senoscreen view may have ended. Start it again.");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let problems = [];
  try { problems = JSON.parse(text).problems || []; } catch { /* a line of text */ }
  throw new Wrong(problems.length ? problems[0].found : text.trim(), problems);
};

export const ask = async (path, facts) => (await asked(path, facts)).json();

export const askPixels = async (facts) => {
  const answer = await asked("pixels", facts);
  const [height, width] = answer.headers.get("Seno-Shape").split(" ").map(Number);
  const Kind = answer.headers.get("Seno-Type") === "uint8" ? Uint8Array : Uint16Array;
  const pixels = new Kind(await answer.arrayBuffer());
  return { pixels, height, width, factor: Number(answer.headers.get("Seno-Factor")) };
};

// What is wrong, in full: code, what, why and what helps.
export const wrongCard = (error) => {
  const card = make("div", undefined, "wrong");
  if (!error.problems || !error.problems.length) {
    card.append(make("b", "This cannot be shown"), make("p", error.message));
  }
  for (const p of error.problems || []) {
    card.append(make("code", p.code), make("b", p.found), make("p", p.why),
      make("p", "What helps: " + p.remedy, "helps"), make("p", p.where, "fine"));
  }
  return card;
};
