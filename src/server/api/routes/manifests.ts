import { readFile } from "node:fs/promises";
import { z } from "zod";
import { applied, applyRequest, plan } from "#model/api.ts";
import { readManifests } from "../../manifests/read-manifests.ts";
import { apply, planApply } from "../../operations/apply.ts";
import { requireBeyondApps } from "../beyond-apps.ts";
import { json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

/** As it is generated from the manifest's own definition, and committed. */
const schemaFile = new URL("../../../../docs/manifest.schema.json", import.meta.url);

/** The request's bytes: a set of manifests at its limit, every character of it escaped as JSON. */
const applyBodyBytes = 4 * 2 ** 20;

/** Declaring what is wanted. */
export function manifestRoutes(services: Services): readonly Route[] {
  const body = json(applyRequest, applyBodyBytes);
  return [
    route({
      method: "GET",
      path: "/v1/manifest-schema",
      id: "getManifestSchema",
      summary: "The JSON Schema of manifests, for editors.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.record(z.string(), z.unknown()) },
      handle: async () => ({ json: JSON.parse(await readFile(schemaFile, "utf8")) }),
    }),
    route({
      method: "POST",
      path: "/v1/apply",
      id: "apply",
      summary: "Makes the declared spaces and apps the wanted ones, all in one revision or not at all.",
      access: { right: "deploy", of: (_query, request) => readManifests(request).space },
      body,
      answer: { kind: "json", schema: applied },
      handle: async ({ receipt, requireRight, caller }, _query, request) => ({
        json: await apply(signed(services, { caller }), request, {
          receipt,
          beyondApps: requireBeyondApps(requireRight),
        }),
      }),
    }),
    route({
      method: "POST",
      path: "/v1/plan",
      id: "plan",
      summary: "What the same request would change as an apply. Changes nothing.",
      access: { right: "read", of: (_query, request) => readManifests(request).space },
      body,
      answer: { kind: "json", schema: plan },
      handle: async (_call, _query, request) => ({ json: planApply(services, request) }),
    }),
  ];
}
