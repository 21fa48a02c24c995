// Talking to the server: nothing is given up because a connection was lost for a while.

const body = document.body;
export const words = JSON.parse(body.dataset.words);
const status = document.getElementById("status");

export function tell(text, kind = "") {
  status.textContent = text;
  status.className = kind;
}

const LONGEST_WAIT_MS = 8000;
const TIMEOUT_MS = 15000;
const PASSING = new Set([429, 502, 503, 504]);

function pause(ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
  });
}

// Asks until there is an answer; `waiting` hears that one is overdue. `patience` is the longest time for all of it to arrive.
export async function ask(path, { patience = TIMEOUT_MS, ...options } = {}, waiting = () => tell(words.connecting, "busy")) {
  for (let wait = 500; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const reply = await fetch(path, {
        ...options, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(patience),
      });
      if (!PASSING.has(reply.status)) return reply;
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    }
    waiting();
    await pause(wait);
  }
}

export async function post(path, said, waiting) {
  const reply = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": body.dataset.csrf },
    body: JSON.stringify(said),
  }, waiting);
  const data = reply.headers.get("Content-Type")?.startsWith("application/json") ? await reply.json() : {};
  return { status: reply.status, data };
}

// Keys that stand on the page press what they stand on.
export function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return false;
  const key = event.key.toLowerCase();
  const targets = [...document.querySelectorAll("[data-key]")].filter((one) => one.dataset.key === key && !one.matches(":disabled"));
  const target = targets.find((one) => !one.closest("[data-heard]")) || targets[0];
  if (!target) return false;
  event.preventDefault();
  if (target.matches("input")) target.focus();
  target.click();
  return true;
}
