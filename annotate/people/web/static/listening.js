// The annotation page: players that cannot skip, a form that unlocks when all was heard, a vote that is sent until it is saved.
import { ask, post, press, tell, words } from "./post.js";

const main = document.getElementById("main");
const tabs = new BroadcastChannel("listening");
const DOWNLOAD_MS = 120000; // a recording over a slow line
const sounds = new Map(); // address -> promise of an object URL
let item = null;
let playing = null; // {player, audio}
let saving = false;

const fill = (text, number) => text.replace("{n}", number);
const players = () => [...item.querySelectorAll(".player")];

function sound(address) {
  if (!sounds.has(address)) {
    const loading = ask(address, { patience: DOWNLOAD_MS }).then(async (reply) => {
      if (!reply.ok) throw new Error(words.cannot_load);
      return URL.createObjectURL(await reply.blob());
    });
    loading.catch(() => sounds.delete(address));
    sounds.set(address, loading);
  }
  return sounds.get(address);
}

function forget(keep) {
  for (const [address, loading] of sounds) {
    if (keep.has(address)) continue;
    sounds.delete(address);
    loading.then(URL.revokeObjectURL, () => undefined);
  }
}

function show() {
  const heard = new Set();
  for (const player of players()) {
    const { slot, left } = player.dataset;
    const done = "heard" in player.dataset;
    if (done) heard.add(slot);
    const now = playing?.player === player;
    const used = left !== undefined && Number(left) <= 0;
    player.querySelector(".play").disabled = saving || (used && !now);
    player.classList.toggle("playing", now && !playing.audio?.paused);
    const parts = [now ? words.playing : done ? words.heard : "needed" in player.dataset ? words.not_heard : words.optional];
    if (left !== undefined) parts.push(Number(left) === 1 ? words.play_left : fill(words.plays_left, left));
    player.querySelector(".told").textContent = parts.join(" · ");
  }
  const all = players().every((player) => !("needed" in player.dataset) || "heard" in player.dataset);
  let complete = true;
  for (const group of item.querySelectorAll("fieldset")) {
    const { about, kind } = group.dataset;
    group.disabled = saving || !(about === undefined ? all : heard.has(about));
    if (kind === "choice" && !group.querySelector("input:checked")) complete = false;
  }
  document.getElementById("submit").disabled = saving || !all || !complete;
}

async function play(player) {
  if (saving || item === null) return;
  if (playing) {
    if (playing.player === player && playing.audio?.paused) playing.audio.play();
    return;
  }
  const { slot, src } = player.dataset;
  const assignment = item.dataset.assignment;
  const mine = { player, audio: null };
  playing = mine;
  try {
    const audio = new Audio(await sound(src));
    const { status, data } = await post("/played", { assignment, slot, what: "started" });
    if (playing !== mine) return;
    if (status !== 200) return await stop(data.message || words.trouble);
    tell("");
    if ("left" in player.dataset) player.dataset.left = Math.max(0, Number(player.dataset.left) - 1);
    mine.audio = audio;
    const bar = player.querySelector("progress");
    audio.addEventListener("timeupdate", () => { bar.value = audio.duration ? audio.currentTime / audio.duration : 0; });
    audio.addEventListener("ratechange", () => { if (audio.playbackRate !== 1) audio.playbackRate = 1; });
    audio.addEventListener("pause", () => { if (playing === mine) show(); });
    audio.addEventListener("seeking", () => { if (playing === mine) stop(words.no_seeking); });
    audio.addEventListener("error", () => { if (playing === mine) stop(words.cannot_play); });
    audio.addEventListener("ended", () => ended(mine, assignment, slot, bar));
    await audio.play();
    show();
  } catch (error) {
    if (playing === mine) await stop(error instanceof DOMException ? words.cannot_play : error.message);
  }
}

async function ended(mine, assignment, slot, bar) {
  if (playing !== mine) return;
  bar.value = 1;
  const say = () => post("/played", { assignment, slot, what: "ended" });
  let { status, data } = await say();
  if (data.reason === "too_early" && data.wait_s > 0 && data.wait_s < 1) {
    await new Promise((resolve) => { setTimeout(resolve, data.wait_s * 1000 + 20); });
    ({ status, data } = await say());
  }
  if (playing !== mine) return;
  playing = null;
  if (status === 200) mine.player.dataset.heard = "";
  else tell(data.message || words.trouble, "trouble");
  bar.value = 0;
  show();
}

async function stop(why) {
  const { audio, player } = playing;
  playing = null;
  audio?.pause();
  player.querySelector("progress").value = 0;
  tell(why, "trouble");
  show();
  await refresh(false);
}

// A vote that is not yet acknowledged outlives a reload of the page.
const PENDING = "listening.pending";
const DRAFT = "listening.draft";
const stored = (store, key) => JSON.parse(store.getItem(key) || "null");

function form() {
  const said = {};
  for (const group of item.querySelectorAll("fieldset")) {
    const inputs = [...group.querySelectorAll("input")];
    said[inputs[0].name] = inputs.filter((input) => input.checked).map((input) => input.value);
  }
  return said;
}

function restore(said) {
  for (const input of item.querySelectorAll("input")) input.checked = (said[input.name] || []).includes(input.value);
}

async function vote() {
  if (saving || item === null || document.getElementById("submit").disabled) return;
  await save({ assignment: item.dataset.assignment, form: form() });
}

async function save(said) {
  saving = true;
  localStorage.setItem(PENDING, JSON.stringify(said));
  tell(words.saving, "busy");
  show();
  const { status, data } = await post("/vote", said, () => tell(words.saving_again, "busy"));
  if (data.reason === "session") { // signed out meanwhile, or in anew: the vote is sent once more by the page of the next session
    saving = false;
    window.location.reload();
    return;
  }
  localStorage.removeItem(PENDING);
  sessionStorage.removeItem(DRAFT);
  saving = false;
  if (status === 200) {
    tell(words.saved);
    tabs.postMessage("voted");
    await advance();
  } else if (data.reason === "answered" || data.reason === "expired" || status === 404) {
    tell(data.message || words.moved_on, "trouble");
    await advance();
  } else {
    tell(data.message || words.trouble, "trouble");
    show();
    await refresh(false);
  }
}

async function fetchPart() {
  const reply = await ask("/next");
  if (reply.status === 401) {
    window.location.reload();
    return null;
  }
  const made = document.createElement("template");
  made.innerHTML = await reply.text();
  return made.content.firstElementChild;
}

async function advance() {
  const part = await fetchPart();
  if (part) take(part, true);
}

// What other tabs did meanwhile: the same item with more heard, or another item.
async function refresh(loud = true) {
  if (saving || playing || item === null) return;
  const part = await fetchPart();
  if (!part || saving || playing) return;
  if (part.dataset.assignment !== item.dataset.assignment) {
    if (loud) tell(words.moved_on);
    take(part, true);
    return;
  }
  for (const player of players()) {
    const fresh = [...part.querySelectorAll(".player")].find((one) => one.dataset.slot === player.dataset.slot);
    if ("heard" in fresh.dataset) player.dataset.heard = "";
    else delete player.dataset.heard;
    if ("left" in fresh.dataset) player.dataset.left = fresh.dataset.left;
  }
  show();
}

function take(part, swap) {
  if (swap) main.replaceChildren(part);
  item = part?.dataset.page === "item" ? part : null;
  if (!item) return;
  const pending = stored(localStorage, PENDING);
  const draft = stored(sessionStorage, DRAFT);
  if (draft?.assignment === item.dataset.assignment) restore(draft.form);
  for (const player of players()) player.querySelector(".play").addEventListener("click", () => play(player));
  const sheet = document.getElementById("form");
  sheet.addEventListener("submit", (event) => { event.preventDefault(); vote(); });
  sheet.addEventListener("change", () => {
    sessionStorage.setItem(DRAFT, JSON.stringify({ assignment: item.dataset.assignment, form: form() }));
    show();
  });
  show();
  if (swap) {
    document.getElementById("heading").focus();
    window.scrollTo(0, 0);
  }
  if (pending?.assignment === item.dataset.assignment) {
    restore(pending.form);
    save(pending);
  } else {
    localStorage.removeItem(PENDING);
    fetchAhead();
  }
}

async function fetchAhead() {
  const now = players().map((player) => player.dataset.src);
  forget(new Set([...now, ...sounds.keys()].slice(-40)));
  await Promise.allSettled(now.map(sound));
  const reply = await fetch("/upcoming", { cache: "no-store" }).catch(() => null);
  if (!reply?.ok) return;
  const { audio } = await reply.json();
  forget(new Set([...players().map((player) => player.dataset.src), ...audio]));
  audio.forEach((address) => sound(address).catch(() => undefined));
}

// Up and down go from question to question, left and right along a scale.
function walk(event) {
  const groups = [...item.querySelectorAll("fieldset:not(:disabled)")];
  if (!groups.length) return;
  const at = groups.findIndex((group) => group.contains(document.activeElement));
  const entry = (group) => group.querySelector("input:checked") || group.querySelector("input");
  event.preventDefault();
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    const to = at < 0 ? 0 : Math.min(groups.length - 1, Math.max(0, at + step));
    entry(groups[to]).focus();
    return;
  }
  const scales = groups.filter((one) => one.dataset.kind === "choice");
  const group = scales.find((one) => one === groups[at]) || scales.find((one) => !one.querySelector("input:checked")) || scales.at(-1);
  if (!group) return;
  const inputs = [...group.querySelectorAll("input")];
  const chosen = inputs.findIndex((input) => input.checked);
  const middle = (inputs.length - 1) / 2;
  const right = event.key === "ArrowRight";
  const to = chosen >= 0 ? chosen + (right ? 1 : -1) : right ? Math.floor(middle) + 1 : Math.ceil(middle) - 1;
  const input = inputs[Math.min(inputs.length - 1, Math.max(0, to))];
  input.focus();
  if (!input.checked) input.click();
}

// A digit rates the question at hand, or the first that is open, and goes on to the next.
function rate(digit) {
  const groups = [...item.querySelectorAll("fieldset.scale:not(:disabled)")];
  const group = groups.find((one) => one.contains(document.activeElement)) || groups.find((one) => !one.querySelector("input:checked"));
  const input = [...(group?.querySelectorAll("input") || [])].find((one) => one.value === digit);
  if (!input) return;
  input.focus();
  if (!input.checked) input.click();
  const following = groups[groups.indexOf(group) + 1];
  (following?.querySelector("input:checked") || following?.querySelector("input"))?.focus();
}

document.addEventListener("keydown", (event) => {
  if (item === null || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key.startsWith("Arrow")) walk(event);
  else if (event.key === "Enter" && !event.target.closest("button, a, summary")) {
    event.preventDefault();
    if (!event.repeat) vote();
  } else if (!press(event) && /^[0-9]$/.test(event.key)) rate(event.key);
});
tabs.addEventListener("message", () => refresh());
window.addEventListener("focus", () => refresh());
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
window.addEventListener("beforeunload", (event) => { if (saving) event.preventDefault(); });
for (const action of ["seekbackward", "seekforward", "seekto", "previoustrack", "nexttrack"]) {
  navigator.mediaSession?.setActionHandler(action, () => undefined);
}

take(main.firstElementChild, false);
