import { z } from "zod";
import { mostParts, type ProgramsOrder, type ProgramsState, partPattern } from "./programs.ts";

const version = z.object({ id: z.string().nullable().meta({ description: "null: it was installed by hand." }) });

export const programsOrder = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  parts: z.array(z.string().regex(partPattern)).min(1).max(mostParts),
}) satisfies z.ZodType<ProgramsOrder>;

export const programsState = z
  .object({
    id: version.shape.id,
    release: z.string(),
    architecture: z.string().meta({ description: "Such as x86_64." }),
    before: version.nullable().meta({ description: "What it can go back to." }),
    isOnTrial: z.boolean(),
    refused: version
      .extend({ why: z.string() })
      .nullable()
      .meta({ description: "The last version that it left by itself; null: none since it went over to what runs." }),
    parts: z.array(z.string()),
  })
  .meta({ id: "MachinePrograms" }) satisfies z.ZodType<ProgramsState>;

export const programsProgress = z
  .object({ kind: z.enum(["copying", "starting", "started", "failed"]) })
  .loose()
  .meta({
    id: "ProgramsProgress",
    description: "`copying` with `part` and `of`, and `starting`, on the way; the last is `started`, or `failed` with an error.",
  });
