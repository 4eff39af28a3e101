import assert from "node:assert/strict";
import { test } from "node:test";
import type { EscalationView } from "#model/api-escalations.ts";
import { askPage, pagePolicy } from "./acknowledge-page.ts";

const run: EscalationView = {
  id: "app/shop-1",
  target: "app/shop",
  state: "needs-human",
  openedAtMs: 0,
  settleUntilMs: 30_000,
  isDryRun: false,
  begunAtMs: 30_000,
  level: "app",
  at: "app",
  failed: [
    {
      check: "smoke@app/shop",
      target: "app/shop",
      level: "app",
      sinceMs: 0,
      message: `answered <script>alert("1")</script> & 'more' \u202e\u0007`,
    },
  ],
  approvals: [],
  steps: [],
  stop: null,
  outcome: { kind: "people", atMs: 60_000, reason: "it was restarted twice", acknowledged: null },
  waitingFor: null,
  revision: 1,
};

test("what a check said is text on the page, whatever it is", () => {
  const html = askPage(run, "default");
  assert.ok(!html.includes("<script"));
  assert.ok(!/[\u0007\u202e]/.test(html));
  assert.ok(html.includes("answered &#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62; &#38; &#39;more&#39;"));
});

test("the page runs nothing and loads nothing, and its button is a form that posts to the link itself", () => {
  const html = askPage(run, "default");
  assert.match(html, /<form method="post"><button type="submit">/);
  assert.ok(!/ (src|href|on[a-z]+)=/.test(html));
  assert.match(pagePolicy, /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/);
});
