(async () => {
  const table = document.getElementById("table");
  if (!table) return;
  const { make } = seno;
  const data = await seno.data("compounds");

  // Compound table: sorted, filtered and paged from the data of the page.
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
