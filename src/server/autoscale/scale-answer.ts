import { errorLine, type LookAnswer } from "#model/look.ts";
import { formatDuration } from "#model/quantities.ts";
import type { ScaleCommand, ScaleMeasure } from "#model/scale.ts";

/** Bytes: more than any number, and enough that no secret is cut in two, where no mask would know it any more, within what is shown. */
export const longestAnswer = 4_096;
/** Letters of what is no number. */
const longestShown = 64;

/** What a rule's command said: a whole number, or why there is none, in one line. @param mask takes secrets out of what people read */
export function readScaleAnswer(
  { timeoutMs }: Pick<ScaleCommand, "timeoutMs">,
  { exitCode, answer, isAnswerCut, output }: LookAnswer,
  mask: (text: string) => string,
): ScaleMeasure {
  const untold = (why: string) => ({ amount: 0, missing: `its command ${why}` });
  if (exitCode === null) return untold(`did not end within ${formatDuration(timeoutMs)}, or was killed`);
  if (exitCode !== 0) {
    const words = errorLine(mask(output));
    return untold(`exited with ${exitCode}${words === "" ? "" : `: ${words}`}`);
  }
  const text = answer.trim();
  if (!isAnswerCut && /^\d{1,15}$/.test(text)) return { amount: Number(text), missing: null };
  if (text === "") return untold("printed nothing, and not a whole number");
  const [line = ""] = mask(text).split("\n");
  return untold(`printed "${line.length > longestShown ? `${line.slice(0, longestShown)}…` : line}", and not a whole number`);
}
