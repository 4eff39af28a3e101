import { z } from "zod";
import { receivers } from "./log-shipping-schemas.ts";

export const shippingDestination = z
  .object({
    space: z.string(),
    name: z.string(),
    kind: z.enum(receivers),
    to: z.string().meta({ description: "Its address." }),
    sinceMs: z.number().meta({ description: "It gets lines from this moment on." }),
    sent: z.int().meta({ description: "Events that it took." }),
    refused: z.int().meta({ description: "Events that it will never take; they were set aside." }),
    lostLines: z.int().meta({ description: "Lines that were removed before they could be sent." }),
    sentAtMs: z.number().nullable().meta({ description: "When it took events last; null: never yet." }),
    behind: z
      .object({
        lines: z.int(),
        bytes: z.int(),
        sinceMs: z.number().nullable().meta({ description: "What is unsent was printed after this moment; null: nothing is unsent." }),
      })
      .meta({ description: "What lies at the machines that answered." }),
    failing: z
      .object({ sinceMs: z.number(), why: z.string(), retryAtMs: z.number() })
      .nullable()
      .meta({ description: "Null: it took the latest batch." }),
    missing: z
      .object({ apps: z.array(z.string()), spaces: z.array(z.string()) })
      .meta({ description: "Whose lines it would get, by its declaration, and who is not there (yet)." }),
    silent: z
      .array(z.object({ machine: z.string(), why: z.string() }))
      .meta({ description: "Machines whose lines cannot be read; they wait there." }),
  })
  .meta({ id: "ShippingDestination" });

export type ShippingDestinationView = z.infer<typeof shippingDestination>;
