// What is known of the well, of its field, and the wells of the same kind.
import { make } from "./make.js";

const remark = (r) => {
  const node = make("div", undefined, "remark");
  node.append(make("code", r.code));
  if (r.of === "compound") node.append(make("span", " of the compound", "fine"));
  if (r.meaning) node.append(make("p", r.meaning));
  if (r.remedy && r.remedy !== "none needed") node.append(make("p", "What helps: " + r.remedy, "helps"));
  return node;
};

export const drawFacts = (node, well, field, onChoose) => {
  const list = make("dl", undefined, "facts");
  const add = (name, value) => {
    const row = make("div");
    row.append(make("dt", name), make("dd", value));
    list.append(row);
  };
  well.facts.forEach(([name, value]) => add(name, value));
  const status = make("p", undefined, "status " + well.status.code.toLowerCase());
  status.append(make("b", well.status.word), ": " + well.status.meaning);
  node.replaceChildren(status, list, ...well.remarks.map(remark));
  const here = well.fields[field];
  if (here && (here.remarks.length || here.used === false)) {
    node.append(make("h3", `Field ${field + 1}` + (here.used === false ? ", not used for the score" : "")));
    node.append(...here.remarks.map(remark));
    if (here.why) node.append(make("p", here.why, "fine"));
  }
  if (well.same.length > 1) node.append(make("h3", `Same kind, ${well.same.length} wells`), sameList(well, onChoose));
};

const sameList = (well, onChoose) => {
  const list = make("ol", undefined, "same");
  for (const other of well.same.slice(0, 60)) {
    const item = make("li"), isOwn = other.plate === well.plate && other.well === well.well;
    const link = make("a");
    link.href = "/well?" + new URLSearchParams({ plate: other.plate, well: other.well });
    link.append(make("b", `${other.plate} ${other.well}`), make("span", other.label), make("span", other.score === null ? "no score" : other.score.toFixed(3)));
    if (isOwn) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      onChoose(other.plate, other.well);
    });
    item.append(link);
    list.append(item);
  }
  if (well.same.length > 60) list.append(make("li", `and ${well.same.length - 60} more`, "fine"));
  return list;
};
