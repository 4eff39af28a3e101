import type { InfoAnswer, InfoQuestion } from "#model/info.ts";
import type { InstanceId } from "#model/names.ts";
import { loopbackGet } from "../loopback-get.ts";
import { readInfo } from "./read-info.ts";

/** One that says which version it is says it from memory. */
const answersWithinMs = 500;
/** All together: the server waits a second for every agent. */
const allWithinMs = 800;
/** Enough for hundreds of instances in that time, few enough to be no load. */
const atOnce = 32;
/** A description of a version; more is not read. */
const longestBodyBytes = 16_384;
const wanted = { accept: "application/json", agent: "drover-info", longestBytes: longestBodyBytes };

/** @param portOf where the instance listens on this machine; null where it does not run, or has no port */
export async function askInstances(
  questions: readonly InfoQuestion[],
  portOf: (instance: InstanceId) => number | null,
  signal: AbortSignal,
): Promise<readonly InfoAnswer[]> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(allWithinMs)]);
  const answers: InfoAnswer[] = [];
  const left = [...questions];
  const askNext = async () => {
    for (let question = left.shift(); question !== undefined; question = left.shift()) {
      const port = portOf(question.instance);
      answers.push(port === null ? nothing(question, "it does not run") : await ask(question, port, until));
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, questions.length) }, askNext));
  signal.throwIfAborted();
  return answers;
}

function nothing({ instance }: InfoQuestion, why: string | null): InfoAnswer {
  return { instance, said: null, why };
}

/** One GET over loopback. What answers with anything but 200 has no such page. */
async function ask(question: InfoQuestion, port: number, until: AbortSignal): Promise<InfoAnswer> {
  const signal = AbortSignal.any([until, AbortSignal.timeout(answersWithinMs)]);
  try {
    const { status, text } = await loopbackGet(port, question.path, wanted, signal);
    if (status !== 200) return nothing(question, status === 404 ? null : `it answered ${question.path} with ${status}`);
    if (text === null) return nothing(question, `its answer at ${question.path} is longer than ${longestBodyBytes} bytes`);
    const said = readInfo(text);
    return said === null
      ? nothing(question, `its answer at ${question.path} is no JSON object`)
      : { instance: question.instance, said, why: null };
  } catch (error) {
    return nothing(question, signal.aborted ? "it did not answer in time" : error instanceof Error ? error.message : String(error));
  }
}
