"use strict";
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const grid = $("#grid"), tools = $(".tools"), find = $("#find"), model = $("#model");
  const sort = $("#sort"), shown = $("#shown"), large = $("#large"), inside = $("#inside");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const saidAtFirst = shown.textContent;

  const cards = [...grid.children].map((element) => ({
    element,
    text: $$(".t", element).map((part) => part.textContent).join("\n").toLowerCase(),
    ...element.dataset,
  }));
  let visible = cards;
  let only = "";

  // ---------------------------------------------------------------- filters and order

  function fits(card, words) {
    if (only === "person" ? card.person !== "1" : only && card.state !== only) return false;
    if (model.value && card.model !== model.value) return false;
    return words.every((word) => card.text.includes(word));
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    visible = cards.filter((card) => {
      const fit = fits(card, words);
      if (card.element.hidden === fit) card.element.hidden = !fit;
      return fit;
    });
    for (const chip of $$(".chip")) chip.setAttribute("aria-pressed", chip.dataset.only === only);
    const all = visible.length === cards.length;
    shown.textContent = all ? saidAtFirst : `${visible.length} of ${cards.length} shown`;
    $("#none").hidden = visible.length > 0;
    choose(visible.find((card) => card.element.tabIndex === 0) || visible[0], false);
  }

  function arrange() {
    const by = sort.value;
    const first = (card) => Number(card.number);
    const key = by === "number" ? () => 0 : (card) => -Number(card[by]);
    cards.sort((a, b) => key(a) - key(b) || first(a) - first(b));
    grid.append(...cards.map((card) => card.element));
    filter();
  }

  function clear() {
    only = find.value = model.value = "";
    filter();
  }

  tools.addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    only = only === chip.dataset.only ? "" : chip.dataset.only;
    filter();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", filter);
  model.addEventListener("change", filter);
  sort.addEventListener("change", arrange);
  $("#clear").addEventListener("click", clear);

  // ---------------------------------------------------------------- media, when it is near

  const load = (video) => {
    if (video.getAttribute("src")) return;
    video.preload = "metadata";
    video.src = `${video.dataset.src}#t=0.05`;
  };
  const unload = (video) => {
    if (!video.getAttribute("src") || !video.paused) return;
    video.removeAttribute("src");
    video.load();
  };
  const watch = new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) =>
      (isIntersecting ? load : unload)(target)),
    { rootMargin: "300px" },
  );
  $$("video").forEach((video) => watch.observe(video));

  function play(video) {
    if (!video) return;
    load(video);
    video.play().catch(() => {});
  }
  function rest(video) {
    if (!video) return;
    video.pause();
    if (video.readyState) video.currentTime = 0.05;
  }
  const toggle = (video) => (!video || video.paused ? play(video) : video.pause());

  for (const [name, playing] of [["play", true], ["pause", false]]) {
    document.addEventListener(name, ({ target }) => {
      target.closest(".film")?.classList.toggle("playing", playing);
    }, true);
  }
  const filmAt = (event) => (event.target instanceof Element ? event.target.closest(".film") : null);
  grid.addEventListener("pointerover", (event) => {
    const film = filmAt(event);
    if (film && event.pointerType === "mouse" && !calm.matches && !film.contains(event.relatedTarget))
      play($("video", film));
  });
  grid.addEventListener("pointerout", (event) => {
    const film = filmAt(event);
    if (film && event.pointerType === "mouse" && !film.contains(event.relatedTarget))
      rest($("video", film));
  });

  // A picture that can't be had leaves its name in its place.
  const gone = (image) => image.classList.add("gone");
  document.addEventListener("error", ({ target }) => {
    if (target.tagName === "IMG") gone(target);
    if (target.tagName === "VIDEO") target.closest(".film")?.classList.add("broken");
  }, true);
  $$("img").forEach((image) => image.complete && !image.naturalWidth && image.currentSrc && gone(image));

  // ---------------------------------------------------------------- one job, large

  function choose(card, focus = true) {
    if (!card) return;
    for (const other of $$('.card[tabindex="0"]', grid)) other.tabIndex = -1;
    card.element.tabIndex = 0;
    if (!focus) return;
    card.element.focus({ preventScroll: true });
    card.element.scrollIntoView({ block: "nearest" });
  }
  const chosen = () => visible.findIndex((card) => card.element.tabIndex === 0);

  function enlarge(card) {
    if (!card) return;
    choose(card, !large.open);
    const copy = card.element.cloneNode(true);
    copy.removeAttribute("tabindex");
    inside.replaceChildren(copy);
    $("#place").textContent = `${visible.indexOf(card) + 1} of ${visible.length}`;
    const video = $("video", copy);
    if (video) {
      video.controls = true;
      video.src = video.dataset.src;
      if (!calm.matches) video.play().catch(() => {});
    }
    if (!large.open) large.showModal();
  }
  const step = (by) => enlarge(visible[Math.max(0, Math.min(visible.length - 1, chosen() + by))]);
  large.addEventListener("close", () => {
    inside.replaceChildren();
    choose(visible[chosen()]);
  });
  large.addEventListener("click", (event) => {
    const go = event.target.closest("[data-go]");
    if (go) step(Number(go.dataset.go));
    else if (event.target === large || event.target.closest("#close")) large.close();
  });

  grid.addEventListener("click", (event) => {
    const element = event.target.closest(".card");
    if (!element || event.target.closest("button, a, code")) return;
    choose(cards.find((card) => card.element === element));
    const film = filmAt(event);
    if (film && $("video", film) && event.detail < 2) toggle($("video", film));
    else if (event.target.closest(".pair")) enlarge(cards.find((card) => card.element === element));
  });

  // ---------------------------------------------------------------- keys

  function move(by, whole) {
    const from = Math.max(0, chosen());
    let to = from + by;
    if (whole) {  // a row up or down: the next card that stands in the same column
      const left = visible[from].element.offsetLeft;
      while (visible[to] && visible[to].element.offsetLeft !== left) to += by;
    }
    if (visible[to]) choose(visible[to]);
  }

  const keys = {
    ArrowRight: () => move(1), j: () => move(1),
    ArrowLeft: () => move(-1), k: () => move(-1),
    ArrowDown: () => move(1, true), ArrowUp: () => move(-1, true),
    Home: () => choose(visible[0]), End: () => choose(visible.at(-1)),
    Enter: () => enlarge(visible[chosen()]),
    " ": () => toggle($("video", visible[chosen()]?.element)),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (large.open) {
      const by = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[event.key];
      if (by && event.target.tagName !== "VIDEO") { event.preventDefault(); step(by); }
    } else if (event.key === "Escape") {
      clear();
      if (typing) choose(visible[0]);
    } else if (event.key === "/" && !typing) {
      event.preventDefault();
      find.select();
    } else if (typing === find && event.key === "Enter") {
      choose(visible[0]);
    } else if (!typing && !event.target.closest("button, a, summary") && keys[event.key]) {
      const onCard = event.target.closest(".card");
      if (!onCard && !["j", "k", "ArrowRight", "ArrowLeft"].includes(event.key)) return;
      event.preventDefault();
      keys[event.key]();
    }
  });

  // ---------------------------------------------------------------- copying, finding, colours

  async function copy(button) {
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      if (!document.execCommand("copy")) return;  // it is selected: the reader's own keys copy it
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".copy")) copy(button);
    if (button?.matches(".find")) {
      clear();
      find.value = button.dataset.find;
      filter();
      tools.scrollIntoView();
    }
  });

  const theme = $("#theme"), root = document.documentElement;
  const themes = ["", "light", "dark"], marks = ["◐", "○", "●"];
  const names = ["as the system has them", "light", "dark"];
  function paint(name) {
    const at = Math.max(0, themes.indexOf(name));
    if (name) root.dataset.theme = name; else delete root.dataset.theme;
    theme.textContent = marks[at];
    theme.title = `Colours: ${names[at]}`;
    theme.setAttribute("aria-label", theme.title);
  }
  const remember = { get: () => "", set: () => {} };
  try {  // a page opened from a disk may have no memory
    const store = localStorage;
    remember.get = () => store.getItem("runner-theme") || "";
    remember.set = (name) => store.setItem("runner-theme", name);
  } catch { /* then it forgets */ }
  paint(remember.get());
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "") + 1) % themes.length];
    paint(next);
    remember.set(next);
  });

  theme.hidden = tools.hidden = false;
  filter();
})();
