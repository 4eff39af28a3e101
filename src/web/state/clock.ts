import { signal } from "@preact/signals";

/** Now, to the second: what shows ages reads it, and is drawn anew as they grow. */
export const nowMs = signal(Date.now());

setInterval(() => {
  if (!document.hidden) nowMs.value = Date.now();
}, 1_000);
