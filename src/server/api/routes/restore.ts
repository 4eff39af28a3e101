import { type RestoreDecision, restoreDecision, restoreList, type restoreReview } from "#model/api-restore.ts";
import { DroverError } from "#model/errors.ts";
import { describeAhead } from "#plan/rollout/ahead.ts";
import type { Review } from "../../controllers/reviews.ts";
import { json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

/** What a restored state and what runs do not agree about, and who is right. */
export function restoreRoutes(services: Services): readonly Route[] {
  const { controlPlane } = services;
  return [
    route({
      method: "GET",
      path: "/v1/restore",
      id: "listRestoreReviews",
      summary: "Apps that run what a restored backup does not know. Nothing of them is changed until people decide.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: restoreList },
      handle: async ({ sees }) => ({
        json: {
          apps: controlPlane
            .reviews()
            .filter(({ space }) => sees(space))
            .map(viewReview),
        },
      }),
    }),
    route({
      method: "POST",
      path: "/v1/restore/discard",
      id: "discardAheadOfRestore",
      summary: "Says that the restored state holds for these apps: what they run beyond it is stopped or replaced.",
      access: { right: "operate", of: "installation" },
      body: json(restoreDecision),
      answer: { kind: "json", schema: restoreList },
      handle: async (call, _query, { apps }) => {
        const chosen = chooseReviews(controlPlane.reviews(), apps);
        await controlPlane.discardReviews(chosen, signed(services, call).events);
        return { json: { apps: chosen.map(viewReview) } };
      },
    }),
  ];
}

function chooseReviews(reviews: readonly Review[], names: RestoreDecision["apps"]): readonly Review[] {
  return names.map((name) => {
    const found = reviews.find(({ space, app }) => `${space}/${app}` === name);
    if (found !== undefined) return found;
    throw new DroverError("APP_NOT_FOUND", `nothing of "${name}" waits for a decision after a restore`, {
      hint: '"drover restore ls" lists the apps of which something does.',
    });
  });
}

function viewReview(review: Review): ReturnType<typeof restoreReview.parse> {
  const { space, app, runs, knows } = review;
  return { space, app, runs: [...runs], knows, message: `${space}/${app} ${describeAhead(review)}` };
}
