import type { ShippingDestinationView } from "#model/api-shipping.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { age, count } from "../output/time.ts";

const ls = {
  summary: "list where logs are sent, and how far behind each destination is",
  async run({ api, out, signal, common, clock }) {
    const path = apiPath(["logs", "shipping"], { space: common.space ?? undefined });
    const { destinations } = await api.call<{ destinations: ShippingDestinationView[] }>("GET", path, signal);
    if (out.json) {
      out.value({ destinations });
      return 0;
    }
    if (destinations.length === 0) {
      out.note("no logs are sent anywhere; a space says where under `logs.ship` of its manifest");
      return 0;
    }
    const nowMs = clock.nowMs();
    const rows = destinations.map((one) => [
      `${one.space}/${one.name}`,
      one.kind,
      escapeText(one.to),
      one.failing === null ? styled("green", "well") : styled("red", "failing"),
      String(one.sent),
      age(one.sentAtMs, nowMs),
      one.behind.lines === 0 ? "-" : `${count(one.behind.lines, "line")}, ${age(one.behind.sinceMs, nowMs)}`,
      one.lostLines === 0 ? "-" : String(one.lostLines),
      one.refused === 0 ? "-" : String(one.refused),
    ]);
    const head = ["DESTINATION", "KIND", "TO", "STATE", "SENT", "LATEST", "BEHIND", "LOST", "REFUSED"];
    for (const line of table(head, rows, out.columns)) out.line(line);
    for (const { space, name, failing, missing, silent } of destinations) {
      if (failing !== null) out.line(`${space}/${name} has taken nothing for ${age(failing.sinceMs, nowMs)}: ${escapeText(failing.why)}`);
      for (const app of missing.apps) out.line(`${space}/${name} gets the lines of "${app}", which the space does not have (yet)`);
      for (const one of missing.spaces) out.line(`${space}/${name} gets the lines of space "${one}", which there is not (yet)`);
      for (const { machine, why } of silent) out.line(`${space}/${name}: the lines of machine ${machine} wait there: ${escapeText(why)}`);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls } } satisfies Noun;
