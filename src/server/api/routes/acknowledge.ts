import { DroverError, errorCodes } from "#model/errors.ts";
import { askPage, donePage, endedPage, pagePolicy } from "../../escalator/acknowledge-page.ts";
import { viewEscalation } from "../../escalator/view.ts";
import { acknowledgeEscalation, requireEscalation } from "../../operations/escalation-operations.ts";
import { type Answer, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** The links in messages to people. Each is for one escalation, and ends with it; whoever has it may take note, and nothing else. */
export function acknowledgeRoutes(services: Services): readonly Route[] {
  const path = "/v1/acknowledge/:token";
  const redeem = async (params: Readonly<Record<string, string>>) => {
    const escalator = await services.controlPlane.escalator();
    return { escalator, ...escalator.acknowledgements.redeem(params["token"] ?? "") };
  };
  return [
    route({
      method: "GET",
      path,
      id: "showAcknowledgement",
      summary: "The page that a message's link leads to: what failed, what was done, and a button that takes note. Changes nothing.",
      access: "ticket",
      answer: { kind: "page" },
      handle: ({ params }) =>
        orEnded(async () => {
          const { escalator, space, escalation } = await redeem(params);
          const run = viewEscalation(escalator, space, requireEscalation(services, space, escalation));
          return { page: askPage(run, space), policy: pagePolicy };
        }),
    }),
    route({
      method: "POST",
      path,
      id: "acknowledgeByLink",
      summary: "The button of that page: takes note of the one escalation that the link is for.",
      access: "ticket",
      answer: { kind: "page" },
      handle: ({ params }) =>
        orEnded(async () => {
          const { escalator, space, escalation } = await redeem(params);
          const hand = { by: "whoever was told", nowMs: escalator.nowMs() };
          const { id } = await acknowledgeEscalation(services, space, escalation, hand);
          return { page: donePage(id), policy: pagePolicy };
        }),
    }),
  ];
}

/** A link that is no good (any more), in words for whoever followed it; everything else is told as usual. */
async function orEnded(handle: () => Promise<Answer>): Promise<Answer> {
  try {
    return await handle();
  } catch (error) {
    if (!(error instanceof DroverError) || (error.code !== "UNAUTHENTICATED" && error.code !== "CONFLICT")) throw error;
    return { status: errorCodes[error.code].status, page: endedPage(), policy: pagePolicy };
  }
}
