"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const make = (name, text, kind) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };

  // Plate maps: the same well is marked on every map of its plate.
  const describe = (plate, well) => {
    const [name, compound, dose, purpose, values, status, flags] = well;
    const parts = [make("b", name + " · " + plate.plate)];
    if (well.length === 1) return [...parts, make("i", "not on the plate map")];
    parts.push(make("div", [compound, dose].filter(Boolean).join(", ")), make("i", purpose));
    values.forEach((v, k) => parts.push(make("div", data.measures[k] + ": " + v)));
    parts.push(make("i", status));
    if (flags.length) parts.push(make("div", "Flags: " + flags.join(", ")));
    return parts;
  };
  const place = (box) => {
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const left = box.right + 12 + width > innerWidth ? box.left - 12 - width : box.right + 12;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, Math.min(box.top, innerHeight - height - 8)) + "px";
  };
  document.querySelectorAll(".plate").forEach((section) => {
    const plate = data.plates[Number(section.dataset.plate)];
    const maps = [...section.querySelectorAll(".map")];
    const squares = maps.map((m) => [...m.querySelectorAll(".w")]);
    let at = -1;
    const clear = () => {
      if (at >= 0) squares.forEach((s) => s[at].classList.remove("at"));
      at = -1;
      tip.hidden = true;
    };
    const mark = (k, index) => {
      clear();
      at = index;
      squares.forEach((s) => s[index].classList.add("at"));
      tip.replaceChildren(...describe(plate, plate.wells[index]));
      place(squares[k][index].getBoundingClientRect());
    };
    maps.forEach((map, k) => {
      const columns = Number(map.dataset.columns);
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
      map.addEventListener("pointerover", (event) => {
        const index = event.target.dataset.i;
        if (index === undefined) clear();
        else mark(k, Number(index));
      });
      map.addEventListener("pointerleave", clear);
      map.addEventListener("blur", clear);
      map.addEventListener("keydown", (event) => {
        if (event.key === "Escape") clear();
        if (!(event.key in steps)) return;
        event.preventDefault();
        const next = at < 0 ? 0 : at + steps[event.key];
        if (next >= 0 && next < plate.wells.length) mark(k, next);
      });
    });
  });

  // Compound table: sorted, filtered and paged from the data of the page.
  const table = document.getElementById("table");
  if (!table) return;
  const size = 50;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const [find, kind, only] = ["find", "class", "only"].map((i) => document.getElementById(i));
  const digits = [0, -1, -1, 2, 2, 2, 3, -2, -3, 2, 2, 0];
  const anchors = new Set(data.cards);
  let order = { column: 0, sign: 1 }, page = 0, rows = data.compounds;

  const words = (value, column) => {
    if (value === null || value === undefined) return "–";
    const d = digits[column];
    if (d === -3) return Math.round(100 * value) + " %";
    if (d === -2) return String(Number(value.toPrecision(3)));
    if (column === 6 && value < 0.001) return "< 0.001";
    return value.toFixed(d).replace("-", "−");
  };
  const nameCell = (row) => {
    const cell = make("td");
    const link = anchors.has("c" + row[0]) ? make("a", row[1]) : make("span", row[1]);
    if (link.tagName === "A") link.href = "#c" + row[0];
    cell.append(link);
    if (row[13] !== row[1]) cell.append(make("span", row[13], "fine"));
    return cell;
  };
  const whyCell = (row) => {
    const cell = make("td", row[14]);
    if (row[12]) cell.append(make("span", row[12], "marks"));
    return cell;
  };
  const classCell = (row) => {
    const cell = make("td");
    const known = row[2] in data.classes;
    cell.append(make("span", known ? data.classes[row[2]] : row[2], known ? "tag " + row[2] : "tag"));
    return cell;
  };
  const draw = (row) => {
    const line = make("tr");
    heads.forEach((_, k) => {
      if (k === 1) line.append(nameCell(row));
      else if (k === 2) line.append(classCell(row));
      else if (k === 12) line.append(whyCell(row));
      else line.append(make("td", words(row[k], k), "n"));
    });
    return line;
  };
  const show = (all) => {
    const pages = Math.max(1, Math.ceil(rows.length / size));
    page = Math.min(page, pages - 1);
    const part = all ? rows.slice(0, 2000) : rows.slice(page * size, (page + 1) * size);
    body.replaceChildren(...part.map(draw));
    document.getElementById("found").textContent = rows.length + " of " + data.compounds.length + " compounds";
    document.getElementById("page").textContent = "page " + (page + 1) + " of " + pages;
    document.querySelector(".pager").hidden = pages === 1;
    document.getElementById("before").disabled = page === 0;
    document.getElementById("after").disabled = page === pages - 1;
  };
  const compare = (a, b) => {
    const x = a[order.column], y = b[order.column];
    // A missing number comes last in either direction.
    if (x === null || y === null) return (x === null) - (y === null);
    const ahead = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return order.sign * ahead || (a[0] ?? Infinity) - (b[0] ?? Infinity);
  };
  const refresh = () => {
    const text = find.value.trim().toLowerCase();
    rows = data.compounds.filter((r) =>
      (!kind.value || r[2] === kind.value) && (!only.checked || r[15]) &&
      (!text || [r[1], r[12], r[13], r[14]].join(" ").toLowerCase().includes(text)));
    rows.sort(compare);
    page = 0;
    show(false);
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      order = { column, sign: order.column === column ? -order.sign : 1 };
      heads.forEach((h, k) => h.setAttribute("aria-sort",
        k !== column ? "none" : order.sign > 0 ? "ascending" : "descending"));
      refresh();
    });
  });
  [find, kind, only].forEach((input) => input.addEventListener("input", refresh));
  document.getElementById("filter").addEventListener("submit", (e) => e.preventDefault());
  document.getElementById("before").addEventListener("click", () => { page -= 1; show(false); });
  document.getElementById("after").addEventListener("click", () => { page += 1; show(false); });
  addEventListener("beforeprint", () => show(true));
  addEventListener("afterprint", () => show(false));
  heads[0].setAttribute("aria-sort", "ascending");
  refresh();
})();
