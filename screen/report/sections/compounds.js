(async () => {
  const table = document.getElementById("table");
  if (!table) return;
  const { make } = seno;
  const byId = (id) => document.getElementById(id);
  const all = await seno.data("compounds");
  const tools = seno.table(all);
  const size = 50, body = table.tBodies[0], headRow = table.tHead.rows[0];
  const n = all.keys.length, every = Array.from({ length: n }, (_, i) => i);
  const column = (name) => all.values[name] || [];
  let chosen = new Set(all.columns.filter((c) => c.shown).map((c) => c.key));
  let order = { key: "rank", sign: 1 }, page = 0, rows = every, at = 0;

  // Filters: texts are joined once, so that a letter typed costs one look at each.
  const sought = ["shown_name", "compound", "flags", "why", "smiles", "inchikey", "aliases", "alerts", "scaffold_cluster"];
  let texts = null;
  const textOf = () => texts || (texts = every.map((i) => sought.map((c) => column(c)[i] ?? "").join("\n").toLowerCase()));
  const number = (id) => byId(id).value === "" ? null : Number(byId(id).value);
  const chosenRows = () => {
    const words = byId("find").value.trim().toLowerCase(), kind = byId("class").value, only = byId("only").checked;
    const alerts = byId("alerts")?.value, scaffold = byId("scaffold")?.value;
    const least = number("least"), most = number("most");
    const effect = all.values.rescue || column("robust_z"), q = column("q");
    const has = words ? textOf() : null;
    return every.filter((i) => (!kind || column("class")[i] === kind) && (!only || column("is_hit")[i])
      && (!alerts || (alerts === "some") === Boolean(column("alerts")[i]))
      && (!scaffold || column("scaffold_cluster")[i] === scaffold)
      && (least === null || (effect[i] ?? -Infinity) >= least) && (most === null || (q[i] ?? Infinity) <= most)
      && (!has || has[i].includes(words)));
  };

  const shownColumns = () => all.columns.filter((c) => chosen.has(c.key));
  const head = () => {
    const held = document.activeElement?.dataset?.column;
    headRow.replaceChildren(...shownColumns().map((c) => {
      const cell = make("th", undefined, tools.isNumber(c) ? "n" : "");
      cell.scope = "col";
      cell.setAttribute("aria-sort", c.key !== order.key ? "none" : order.sign > 0 ? "ascending" : "descending");
      const button = make("button", c.label);
      button.type = "button";
      button.title = c.meaning;
      button.dataset.column = c.key;
      button.addEventListener("click", () => {
        order = { key: c.key, sign: order.key === c.key ? -order.sign : 1 };
        refresh();
      });
      cell.append(button);
      return cell;
    }));
    // Sorting draws the heads anew; the focus stays on the one that was pressed.
    if (held) headRow.querySelector('[data-column="' + CSS.escape(held) + '"]')?.focus();
  };
  const line = (i) => {
    const row = make("tr");
    row.dataset.row = i;
    row.tabIndex = -1;
    row.append(...shownColumns().map((c) => tools.draw(c, i)));
    return row;
  };
  const show = (many) => {
    const pages = Math.max(1, Math.ceil(rows.length / size));
    page = Math.min(page, pages - 1);
    body.replaceChildren(...rows.slice(many ? 0 : page * size, many || (page + 1) * size).map(line));
    byId("found").textContent = rows.length.toLocaleString("en").replace(/,/g, "\u202f") + " of " + n.toLocaleString("en").replace(/,/g, "\u202f") + " compounds";
    byId("page").textContent = "page " + (page + 1) + " of " + pages;
    document.querySelector(".pager").hidden = pages === 1;
    byId("before").disabled = page === 0;
    byId("after").disabled = page === pages - 1;
    byId("export").disabled = rows.length === 0;
    at = 0;
    if (body.rows[0]) body.rows[0].tabIndex = 0;
  };
  const refresh = () => {
    rows = chosenRows();
    const by = all.columns.find((c) => c.key === order.key);
    if (by && !(order.key === "rank" && order.sign > 0)) tools.sorted(rows, by, order.sign);
    page = 0;
    head();
    show();
  };
  seno.compoundOrder = () => rows.map((i) => all.keys[i]);
  seno.tableCsv = () => tools.csv(rows, shownColumns());

  // Rows: one of them takes the tab key, arrows move, Enter opens.
  const moveTo = (k) => {
    const to = body.rows[Math.max(0, Math.min(k, body.rows.length - 1))];
    if (!to) return;
    if (body.rows[at]) body.rows[at].tabIndex = -1;
    at = to.sectionRowIndex;
    to.tabIndex = 0;
    to.focus();
  };
  const open = (row) => { location.hash = "compound=" + encodeURIComponent(all.keys[row.dataset.row]); };
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e6, End: 1e6 };
    if (event.key in steps) moveTo(row.sectionRowIndex + steps[event.key]);
    else if (event.key === "Enter") open(row);
    else return;
    event.preventDefault();
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    row.focus();
    open(row);
  });
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (row && row.sectionRowIndex !== at) { body.rows[at].tabIndex = -1; at = row.sectionRowIndex; row.tabIndex = 0; }
  });

  // What can be chosen: columns, and scaffolds of two compounds or more.
  const choices = byId("chooser").querySelector("fieldset");
  all.columns.forEach((c) => {
    const label = make("label"), box = make("input");
    box.type = "checkbox";
    box.checked = chosen.has(c.key);
    box.value = c.key;
    label.title = c.meaning;
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(c.key);
      else chosen.delete(c.key);
      head();
      show();
    });
    label.append(box, " " + c.label);
    choices.append(label);
  });
  const scaffolds = new Map();
  column("scaffold_cluster").forEach((s) => s && scaffolds.set(s, (scaffolds.get(s) || 0) + 1));
  [...scaffolds].filter(([, k]) => k > 1).forEach(([s, k]) => {
    const option = make("option", s + " (" + k + ")");
    option.value = s;
    byId("scaffold")?.append(option);
  });

  seno.filterBy = (id, value) => {
    byId("filter").reset();
    byId(id).value = value;
    refresh();
  };
  ["find", "class", "alerts", "scaffold", "least", "most", "only"].forEach((id) => byId(id)?.addEventListener("input", refresh));
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("reset", () => setTimeout(refresh));
  byId("before").addEventListener("click", () => { page -= 1; show(); });
  byId("after").addEventListener("click", () => { page += 1; show(); });
  byId("export").addEventListener("click", () => seno.save(seno.tableCsv(), "compounds-filtered.csv"));
  document.addEventListener("keydown", (event) => {
    const box = byId("chooser");
    if (event.key === "Escape" && box.open) { box.open = false; box.querySelector("summary").focus(); }
  });
  addEventListener("beforeprint", () => show(100));
  addEventListener("afterprint", () => show());
  refresh();
  (window.requestIdleCallback || setTimeout)(textOf);
})();
