"use strict";
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const grid = $("#grid"), tools = $(".tools"), find = $("#find"), model = $("#model");
  const sort = $("#sort"), shown = $("#shown"), large = $("#large"), inside = $("#inside");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const saidAtFirst = shown.textContent;

  const form = $("#card").content.firstElementChild;
  const command = $("#command").content.firstElementChild;

  // Every job as data; its element is made when it is first shown.
  const jobs = JSON.parse($("#jobs").textContent);
  for (const job of jobs) {
    const text = [job.id, job.prompt, job.name, job.facts, job.state, job.trouble, job.said];
    job.text = text.join("\n").toLowerCase();
  }
  const PAGE = 60; // whole rows in 1 to 6 columns
  let visible = jobs;
  let only = "";
  let current = jobs[0];

  // ---------------------------------------------------------------- one job as an element

  const say = (element, words) => words ? (element.textContent = words) : element.remove();
  const draw = (icon, name) => icon.firstElementChild.setAttribute("href", `#i-${name}`);

  function made(job) {
    const card = form.cloneNode(true);
    const [still, film] = $$("figure", card);
    card.classList.add(job.state);
    card.setAttribute("aria-label", `${job.id}, ${job.state}`);
    $("figcaption", still).textContent = job.name;
    const image = $("img", still);
    if (job.image) image.alt = `Source image ${job.name}`, image.src = job.image;
    else image.remove();
    const video = $("video", film);
    draw($(".icon", film), job.film ? "play" : job.state);
    say($("figcaption", film), job.instead);
    if (job.film) {
      video.setAttribute("aria-label", `Video of ${job.id}`);
      video.muted = true;
      video.dataset.src = job.film;
    } else video.remove();
    $("h3 bdi", card).textContent = job.id;
    draw($(".state .icon", card), job.state);
    $(".state span", card).textContent = job.state[0].toUpperCase() + job.state.slice(1);
    say($(".prompt", card), job.prompt);
    say($(".facts", card), job.facts);
    say($(".figures span", card), job.figures);
    if (job.film) $(".figures a", card).href = job.film;
    else $(".figures a", card).remove();
    const trouble = $(".trouble", card);
    if (!job.trouble) trouble.remove();
    say($("h4", trouble), job.trouble && job.trouble[0].toUpperCase() + job.trouble.slice(1));
    for (const part of ["meaning", "remedy", "said"]) say($(`.${part}`, trouble), job[part]);
    for (const [purpose, line] of job.commands) {
      const box = command.cloneNode(true);
      $("span", box).textContent = purpose;
      $("code", box).textContent = line;
      $("button", box).setAttribute("aria-label", `Copy: ${purpose}`);
      trouble.append(box);
    }
    return card;
  }

  function elementOf(job) {
    if (!job.element) {
      job.element = made(job);
      byElement.set(job.element, job);
    }
    return job.element;
  }
  const byElement = new WeakMap();

  // ---------------------------------------------------------------- filters and order

  function fits(job, words) {
    if (only === "person" ? !job.person : only && job.state !== only) return false;
    if (model.value && job.model !== model.value) return false;
    return words.every((word) => job.text.includes(word));
  }

  let placed = 0; // so many of the visible jobs are in the page

  function more() {
    if (placed >= visible.length) return;
    const page = document.createElement("div");
    page.className = "page";
    page.setAttribute("role", "presentation");
    page.append(...visible.slice(placed, placed + PAGE).map(elementOf));
    placed += PAGE;
    for (const video of $$("video", page)) near.observe(video);
    grid.append(page);
    end.observe(page);
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    visible = jobs.filter((job) => fits(job, words));
    for (const chip of $$(".chip")) chip.setAttribute("aria-pressed", chip.dataset.only === only);
    shown.textContent = visible.length === jobs.length
      ? saidAtFirst : `${visible.length} of ${jobs.length} shown`;
    $("#none").hidden = visible.length > 0;
    near.disconnect();
    end.disconnect();
    grid.replaceChildren();
    placed = 0;
    more();
    choose(visible.slice(0, PAGE).includes(current) ? current : visible[0], false);
  }

  function arrange() {
    const by = sort.value;
    const key = by === "number" ? () => 0 : (job) => -job[by];
    jobs.sort((a, b) => key(a) - key(b) || a.number - b.number);
    current = jobs[0];
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
  const near = new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) =>
      (isIntersecting ? load : unload)(target)),
    { rootMargin: "300px" },
  );
  const end = new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) => {
      if (!isIntersecting || target !== grid.lastElementChild) return;
      end.unobserve(target);
      more();
    }),
    { rootMargin: "1500px" },
  );

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
  for (const [name, act] of [["pointerover", play], ["pointerout", rest]]) {
    grid.addEventListener(name, (event) => {
      const film = filmAt(event);
      const crossed = film && !film.contains(event.relatedTarget);
      if (crossed && event.pointerType === "mouse" && !calm.matches) act($("video", film));
    });
  }

  // A picture that can't be had never covers its name.
  document.addEventListener("load", ({ target }) => {
    if (target.tagName === "IMG") target.classList.add("here");
  }, true);
  document.addEventListener("error", ({ target }) => {
    target.closest?.(".film")?.classList.add("broken");
  }, true);

  // ---------------------------------------------------------------- one job, large

  function choose(job, focus = true, scroll = true) {
    if (!job) return;
    while (placed <= visible.indexOf(job)) more();
    if (current?.element) current.element.tabIndex = -1;
    current = job;
    job.element.tabIndex = 0;
    if (!focus) return;
    job.element.focus({ preventScroll: true });
    if (scroll) job.element.scrollIntoView({ block: "nearest" });
  }

  function enlarge(job) {
    if (!job) return;
    choose(job, !large.open);
    const copy = made(job);
    copy.removeAttribute("tabindex");
    copy.removeAttribute("role");
    inside.replaceChildren(copy);
    $("#place").textContent = `${visible.indexOf(job) + 1} of ${visible.length}`;
    const video = $("video", copy);
    if (video) {
      video.controls = true;
      video.src = job.film;
      if (!calm.matches) video.play().catch(() => {});
    }
    if (!large.open) large.showModal();
  }
  const at = (place) => visible[Math.max(0, Math.min(visible.length - 1, place))];
  const step = (by) => enlarge(at(visible.indexOf(current) + by));
  large.addEventListener("close", () => {
    inside.replaceChildren();
    choose(current);
  });
  large.addEventListener("click", (event) => {
    const go = event.target.closest("[data-go]");
    if (go) step(Number(go.dataset.go));
    else if (event.target === large || event.target.closest("#close")) large.close();
  });

  grid.addEventListener("click", (event) => {
    const job = byElement.get(event.target.closest(".card"));
    if (!job || event.target.closest("button, a, code")) return;
    choose(job, true, false);
    const film = filmAt(event);
    if (film && job.film) toggle($("video", film));
    else if (event.target.closest(".pair")) enlarge(job);
  });

  // ---------------------------------------------------------------- keys

  function move(by, whole) {
    const from = visible.indexOf(current);
    let to = from + by;
    if (whole) { // a row up or down: the next card that stands in the same column
      if (by > 0 && placed < from + PAGE) more();
      const left = current.element.offsetLeft;
      while (visible[to]?.element && visible[to].element.offsetLeft !== left) to += by;
    }
    if (visible[to]) choose(visible[to]);
  }

  const keys = {
    ArrowRight: () => move(1), j: () => move(1),
    ArrowLeft: () => move(-1), k: () => move(-1),
    ArrowDown: () => move(1, true), ArrowUp: () => move(-1, true),
    Home: () => choose(visible[0]),
    Enter: () => enlarge(current),
    " ": () => toggle(current && $("video", current.element)),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (large.open) {
      const by = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[event.key];
      if (by && event.target.tagName !== "VIDEO") { event.preventDefault(); step(by); }
    } else if (event.key === "Escape") {
      clear();
      if (typing) choose(current);
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
    const index = Math.max(0, themes.indexOf(name));
    if (index) root.dataset.theme = name; else delete root.dataset.theme;
    theme.textContent = marks[index];
    theme.title = `Colours: ${names[index]}`;
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

  // On a small screen the pictures come first.
  if (matchMedia("(max-width: 40rem)").matches)
    for (const fold of $$(".fold")) fold.open = false;
  theme.hidden = tools.hidden = false;
  filter();
})();
