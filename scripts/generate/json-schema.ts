import { z } from "zod";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schema of what goes in (`input`: as a person writes it) or comes out. Keys that are not yet supported match nothing. */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    unrepresentable: "any",
    override: ({ jsonSchema: one }) => {
      if (one["notYetSupported"] === true) {
        for (const key of Object.keys(one)) if (key !== "description") delete one[key];
        one.not = {};
      }
    },
  });
  const { $schema: _, "~standard": _standard, ...rest } = made as Record<string, unknown>;
  return rest;
}
