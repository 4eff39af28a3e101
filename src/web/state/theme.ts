import { effect, signal } from "@preact/signals";

export const themes = ["auto", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const item = "drover-theme";
const kept = localStorage.getItem(item);

/** Chosen by the person, for this browser; `auto` follows the system. */
export const theme = signal<Theme>(themes.find((one) => one === kept) ?? "auto");

effect(() => {
  if (theme.value === "auto") localStorage.removeItem(item);
  else localStorage.setItem(item, theme.value);
  document.documentElement.dataset["theme"] = theme.value;
});
