// The admin page: forms sent as JSON; what was made is shown, everything else shows in the page as it is then.
import { post, tell, words } from "./post.js";

for (const form of document.querySelectorAll("form[data-post]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = Object.fromEntries(new FormData(form));
    if ("ask" in form.dataset) {
      said.reason = window.prompt(form.dataset.ask);
      if (!said.reason) return;
    }
    if ("sure" in form.dataset && !window.confirm(form.dataset.sure)) return;
    if ("values" in said) said.values = said.values.split(/[\s,]+/).filter(Boolean);
    if (form.dataset.post === "/admin/invite") {
      const levels = Object.fromEntries([...new FormData(form)].filter(([key]) => key.startsWith("level:")).map(([key, level]) => [key.slice(6), level]));
      Object.keys(said).filter((key) => key.startsWith("level:")).forEach((key) => delete said[key]);
      said.levels = levels;
    }
    const buttons = [...form.querySelectorAll("button")];
    buttons.forEach((button) => { button.disabled = true; });
    const { status, data } = await post(form.dataset.post, said);
    buttons.forEach((button) => { button.disabled = false; });
    if (status !== 200) {
      tell(data.message || words.trouble, "trouble");
    } else if (data.link) {
      document.querySelector("[data-made]").textContent = `${data.known ? `${words.known_already} ${data.known}. ` : ""}${words.made_link} ${data.link}`;
      form.reset();
    } else {
      window.location.reload();
    }
  });
}
