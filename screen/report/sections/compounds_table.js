// How a cell of the table is drawn, what it sorts by, and the CSV of what is seen.
(() => {
  const { make, words } = seno;
  const numeric = new Set(["number", "p", "share", "times", "dose", "whole", "interval", "ranks", "potency"]);
  const span = (low, high, digits) => low === null || high === null ? null
    : make("span", words.number(low, digits) + " to " + words.number(high, digits), "fine");
  const cellWith = (text, more) => {
    const cell = make("td", text, "n");
    if (more) cell.append(more);
    return cell;
  };
  const potency = (v, sign, low, high) => {
    const text = v === null ? "–" : (sign && sign !== "=" ? sign + " " : "") + words.dose(v);
    return cellWith(text, low === null && high === null ? null
      : make("span", words.doses(low, high), "fine"));
  };
  const listed = (text) => {
    const cell = make("td", undefined, "list");
    (text || "").split(";").filter(Boolean).forEach((w) => {
      const flag = make("span", undefined, "flag");
      // A long code may break after its underscores.
      w.trim().split(/(?<=[_:])/).forEach((piece) => flag.append(piece, make("wbr")));
      cell.append(flag, " ");
    });
    return cell;
  };
  const drawers = {
    whole: (v) => cellWith(v === null ? "–" : String(v)),
    number: (v) => cellWith(v === null ? "–" : words.short(v)),
    p: (v) => cellWith(words.probability(v)),
    share: (v) => cellWith(words.share(v)),
    times: (v) => cellWith(v === null ? "–" : "× " + words.number(v, 2)),
    dose: (v) => cellWith(words.dose(v)),
    interval: (v, low = null, high = null) => cellWith(words.number(v, 2), span(low, high, 2)),
    ranks: (v, low = null, high = null) => cellWith(words.number(v, 0), span(low, high, 0)),
    potency: (v, sign = null, low = null, high = null) => potency(v, sign, low, high),
    list: listed,
    text: (v) => {
      const cell = make("td", undefined, "words");
      cell.append(make("div", v === null ? "" : String(v)));
      return cell;
    },
  };

  seno.table = (all) => {
    const value = (name, row) => (all.values[name] || [])[row] ?? null;
    const draw = (column, row) => {
      const parts = column.parts.map((p) => value(p, row));
      if (column.kind === "class") {
        const known = all.classes[parts[0]], cell = make("td");
        cell.append(make("span", known ? known[0] : parts[0] || "", known ? "tag " + parts[0] : "tag"));
        return cell;
      }
      if (column.kind === "name") {
        const cell = make("th");
        cell.scope = "row";
        const link = make("a", parts[0]);
        link.href = "#compound=" + encodeURIComponent(all.keys[row]);
        link.tabIndex = -1;
        cell.append(link);
        if (parts[1] !== parts[0]) cell.append(make("span", parts[1], "fine"));
        return cell;
      }
      // A part that no compound has is not in the page: find each by its ending.
      const at = (end) => value(column.parts.find((p) => p.endsWith(end)) || "", row);
      if (column.kind === "potency") return potency(parts[0], at("_relation"), at("_low_um"), at("_high_um"));
      return (drawers[column.kind] || drawers.text)(...parts);
    };

    const collator = new Intl.Collator("en", { numeric: true });
    const sorted = (rows, column, sign) => {
      const values = all.values[column.parts[0]];
      const isText = !numeric.has(column.kind);
      return rows.sort((a, b) => {
        const x = values[a] ?? null, y = values[b] ?? null;
        // A missing number comes last in either direction.
        if (x === null || y === null) return (x === null) - (y === null) || a - b;
        const ahead = isText ? collator.compare(x, y) : x - y;
        return sign * ahead || a - b;
      });
    };

    // As the CSV tables of the run: text that a spreadsheet would run gets an apostrophe.
    const field = (v) => {
      if (v === null || v === undefined) return "";
      if (typeof v !== "string") return String(v);
      const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(v) ? "'" + v : v;
      return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
    };
    const csv = (rows, columns) => {
      const names = [...new Set(columns.flatMap((c) => c.parts))];
      const lines = rows.map((r) => names.map((n) => field(value(n, r))).join(","));
      return [names.map((n) => n === "shown_name" ? "name" : n).join(","), ...lines].join("\n") + "\n";
    };
    return { value, draw, sorted, csv, isNumber: (c) => numeric.has(c.kind) };
  };

  seno.save = (text, name) => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    const link = make("a");
    link.href = address;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
})();
