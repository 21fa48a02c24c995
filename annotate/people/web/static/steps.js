// Consent and headphone check: forms that are sent as JSON, and sounds that are played once asked for.
import { post, press, tell, words } from "./post.js";

for (const form of document.querySelectorAll("form[data-post]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.main");
    if (button.disabled) return;
    button.disabled = true;
    let said = Object.fromEntries(new FormData(form));
    if (form.dataset.challenge) {
      const { quiet, headphones, hearing, fluent, ...answers } = said;
      said = { challenge: form.dataset.challenge, quiet, headphones, hearing, fluent, answers };
    }
    const { status, data } = await post(form.dataset.post, said);
    if (status === 200) {
      window.location.replace("/");
    } else if (data.reason === "wrong") {
      tell(words.check_wrong, "trouble");
      setTimeout(() => window.location.replace("/"), 1500);
    } else {
      tell(data.message || words.trouble, "trouble");
      button.disabled = false;
    }
  });
}

let sound = null;
for (const button of document.querySelectorAll("[data-sound]")) {
  button.addEventListener("click", async () => {
    sound?.pause();
    document.querySelectorAll("[data-sound].playing").forEach((other) => other.classList.remove("playing"));
    sound = new Audio(button.dataset.sound);
    sound.addEventListener("ended", () => button.classList.remove("playing"));
    button.classList.add("playing");
    try {
      await sound.play();
    } catch {
      button.classList.remove("playing");
      tell(words.cannot_play, "trouble");
    }
  });
}

document.addEventListener("keydown", (event) => press(event));
