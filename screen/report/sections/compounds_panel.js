// The page of one compound: opened by its address #compound=KEY over the whole window.
(() => {
  const { make } = seno;
  const panel = make("div", undefined, "compound-page");
  panel.id = "compound-page";
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-modal", "true");
  panel.setAttribute("aria-labelledby", "compound-title");
  panel.hidden = true;
  document.body.append(panel);

  let open = null, back = null, turns = [];
  const address = (key) => "#compound=" + encodeURIComponent(key);
  const order = async (key) => {
    const shown = seno.compoundOrder ? seno.compoundOrder() : [];
    return shown.includes(key) ? shown : (await seno.data("compounds")).keys;
  };

  // The rest of the page is taken away while a compound is open: nothing else can be
  // reached by keys, and it alone is printed.
  const hide = () => {
    if (open === null) return false;
    open = null;
    panel.hidden = true;
    document.documentElement.classList.remove("on-compound");
    return true;
  };
  const close = () => {
    history.replaceState(null, "", location.pathname + location.search + "#compounds");
    if (!hide()) return;
    scrollTo({ top: back.top, behavior: "instant" });
    const row = document.querySelector('#table tr[data-row="' + back.row + '"]');
    const from = back.from?.isConnected && back.from !== document.body ? back.from : row;
    from?.focus({ preventScroll: true });
  };

  const step = (name, key, sign) => {
    const link = make("a", name === "Next" ? name + " " + sign : sign + " " + name, "step");
    if (key) link.href = address(key);
    else link.setAttribute("aria-disabled", "true");
    link.dataset.step = name;
    return link;
  };
  const show = async (key) => {
    if (open === null) back = { top: scrollY, from: document.activeElement, row: null };
    open = key;
    const compound = await seno.compound(key);
    const keys = compound ? await order(key) : [];
    if (open !== key) return;
    const at = keys.indexOf(key);
    turns = keys;
    const bar = make("div", undefined, "compound-bar"), shut = make("button", "Close");
    shut.type = "button";
    shut.addEventListener("click", close);
    const place = make("span", compound ? at + 1 + " of " + keys.length : "", "fine");
    bar.append(step("Previous", keys[at - 1], "‹"), step("Next", keys[at + 1], "›"), place, shut);
    if (compound) back.row = compound.at;
    const title = make("h2", compound ? compound.value("shown_name") : "No compound " + key);
    title.id = "compound-title";
    title.tabIndex = -1;
    panel.replaceChildren(bar, ...(compound ? seno.compoundParts(compound, title)
      : [title, make("p", "This report holds no compound with that address; the table lists all.", "empty")]));
    panel.hidden = false;
    document.documentElement.classList.add("on-compound");
    scrollTo({ top: 0, behavior: "instant" });
    title.focus({ preventScroll: true });
  };

  // Before any other section follows an address, the page that covers it goes away.
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#compound=") || !hide()) return;
    // The browser looked for its place while the rest of the page was away.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, true);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && open !== null && !link.hash.startsWith("#compound=")) hide();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (open === null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") close();
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!sign || /^(input|select|textarea)$/i.test(event.target.tagName)) return;
    // From the address, which is ahead of what is drawn while a key is held down.
    const now = turns.findIndex((k) => address(k) === location.hash);
    if (now >= 0 && turns[now + sign] !== undefined) location.hash = address(turns[now + sign]);
  });
  seno.take("compound", show);
})();
