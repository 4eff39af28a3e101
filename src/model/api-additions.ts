import { z } from "zod";

/** The part of the HTTP API by which a command that makes hosts machines tells how far it is, for whoever looks on. */

/** As many hosts as one command takes. */
const mostHosts = 1_000;
const word = z.string().max(300);
const sentence = z.string().max(2_000);

const addedHost = z.strictObject({
  host: word.meta({ description: "As it was named." }),
  machine: word.nullable().meta({ description: "What it is called as a machine; null while that is not known." }),
  state: z
    .enum(["waiting", "under-way", "joined", "already", "failed"])
    .meta({ description: "already: it was a machine before, and nothing was done." }),
  stage: word.nullable().meta({ description: "What is being done there, and how far it is." }),
  notes: z.array(sentence).max(20).meta({ description: "What stays to be read, such as keys that were seen for the first time." }),
  failure: z
    .strictObject({
      code: word,
      message: sentence,
      hint: sentence,
      faults: z
        .array(z.strictObject({ check: word, what: sentence, remedy: sentence }))
        .max(20)
        .meta({ description: "All that is wrong with the host, with the next step for each." }),
    })
    .nullable(),
});

export const toldAddition = z.strictObject({
  hosts: z.array(addedHost).min(1).max(mostHosts),
  isOver: z.boolean().meta({ description: "Nothing of it goes on." }),
});

export const addition = toldAddition
  .extend({
    id: z.string(),
    by: z.string().meta({ description: "Whose token it was." }),
    startedAtMs: z.number().meta({ description: "When it was first heard of." }),
    isSilent: z.boolean().meta({ description: "Nothing was heard of it for a while, and it had not said that it is over." }),
  })
  .meta({ id: "MachineAddition" });

export type ToldAddition = z.output<typeof toldAddition>;
export type AddedHost = z.output<typeof addedHost>;
export type AdditionView = z.output<typeof addition>;
