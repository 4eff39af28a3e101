import type { z } from "zod";
import { errorBody } from "#model/api.ts";
import packageFile from "../../package.json" with { type: "json" };
import type { AnswerRule, BodyRule, Route } from "../../src/server/api/route.ts";
import { allRoutes } from "../../src/server/api/routes/index.ts";
import type { Services } from "../../src/server/api/services.ts";
import { type JsonSchema, jsonSchema } from "./json-schema.ts";

/** OpenAPI 3.1 of the route table. */
export function openApi(): JsonSchema {
  // The table is read and no handler is called, so nothing stands behind it.
  const routes = allRoutes({} as Services);
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  const errors = { description: "What went wrong, and what to do.", content: jsonContent(hoist(errorBody, "output", schemas)) };
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z]+)/g, "{$1}").replace("*", "{key}");
    const operations = (paths[path] ??= {});
    operations[route.method.toLowerCase()] = operation(route, path, errors, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Drover",
      version: packageFile.version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description:
        "Errors are `{code, message, hint, details}`; branch on `code` (docs/reference/errors.md). Objects in answers only ever grow keys. " +
        "Reads of single objects have an `ETag`; send it back as `If-Match` to change only what was read. An `Idempotency-Key` on a request that " +
        "changes something and answers with JSON makes repeating it safe for 24 hours. `x-access` says what a route asks for: docs/reference/access.md.",
    },
    servers: [{ url: "http://127.0.0.1:7373" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "Of `drover token create`, or the content of the file `token` in the server's home folder.",
        },
      },
      schemas,
    },
  };
}

function operation(route: Route, path: string, errors: unknown, schemas: Record<string, unknown>): JsonSchema {
  const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  return {
    operationId: route.id,
    summary: route.summary,
    "x-access": accessOf(route),
    ...(typeof route.access === "object" ? {} : { security: [] }),
    parameters: [...inPath, ...queryParameters(route)],
    ...requestBody(route.body ?? { kind: "none" }, schemas),
    responses: { ...answers(route.answer, schemas), default: errors },
  };
}

/** A rule that looks into the request finds a space there. */
function accessOf({ access }: Route): unknown {
  return typeof access === "object" ? { right: access.right, of: typeof access.of === "function" ? "space" : access.of } : access;
}

function queryParameters({ query }: Route): readonly unknown[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(query, "input") as {
    properties?: Record<string, { description?: string; default?: unknown }>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function requestBody(rule: BodyRule, schemas: Record<string, unknown>): JsonSchema {
  if (rule.kind === "none") return {};
  const description = `At most ${rule.maxBytes} bytes.`;
  const content = rule.kind === "json" ? jsonContent(hoist(rule.schema, "input", schemas)) : { "application/octet-stream": {} };
  return { requestBody: { required: true, description, content } };
}

function answers(rule: AnswerRule, schemas: Record<string, unknown>): JsonSchema {
  switch (rule.kind) {
    case "none":
      return { 204: { description: "Done." } };
    case "bytes":
      return { 200: { description: "The bytes.", content: { "application/octet-stream": {} } } };
    case "text":
      return { 200: { description: "Text.", content: { [rule.type]: { schema: { type: "string" } } } } };
    case "page":
      return { 200: { description: "A page for people.", content: { "text/html": {} } } };
    case "upgrade":
      return { 101: { description: "A WebSocket from here on." } };
    case "json":
      return { 200: { description: "The answer.", content: jsonContent(hoist(rule.schema, "output", schemas)) } };
    case "events":
      return {
        200: {
          description: "Server-sent events; the data of each is JSON.",
          content: { "text/event-stream": { schema: hoist(rule.schema, "output", schemas) } },
        },
      };
    case "lines":
      return {
        200: {
          description: "One JSON value a line.",
          content: { "application/x-ndjson": { schema: hoist(rule.schema, "output", schemas) } },
        },
      };
    default:
      throw new Error(`unknown answer rule ${JSON.stringify(rule satisfies never)}`);
  }
}

function jsonContent(schema: JsonSchema): JsonSchema {
  return { "application/json": { schema } };
}

/** The schema with its named parts moved to the components that all operations share. */
function hoist(schema: z.ZodType, io: "input" | "output", schemas: Record<string, unknown>): JsonSchema {
  const { $defs = {}, ...rest } = jsonSchema(schema, io) as { $defs?: Record<string, unknown> } & Record<string, unknown>;
  for (const [name, definition] of Object.entries($defs)) schemas[name] = rewrite(definition);
  const id = typeof rest["id"] === "string" ? rest["id"] : null;
  if (id === null) return rewrite(rest) as JsonSchema;
  schemas[id] = rewrite(rest);
  return { $ref: `#/components/schemas/${id}` };
}

/** References that point to where the parts are now; an `id` was only their name. */
function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, inner]) => !(key === "id" && typeof inner === "string"));
  return Object.fromEntries(
    entries.map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string" ? inner.replace("#/$defs/", "#/components/schemas/") : rewrite(inner),
    ]),
  );
}
