import { countedLevels } from "#model/log-event.ts";
import { type LogExpression, type LogTerm, ownFields } from "#model/log-query.ts";
import { mayHoldText, mayHoldWord, wordsIn } from "./word-filter.ts";

/** What stands in every event that a group of terms matches. */
interface Needle {
  /** In small letters. */
  readonly texts: readonly Buffer[];
  readonly words: readonly Buffer[];
  /** Places in `countedLevels`; null: any. */
  readonly levels: readonly number[] | null;
}

/** Which segments can hold what an expression matches, told from their filters, their levels and their bytes without taking them apart. */
export class Needles {
  readonly #groups: readonly Needle[];

  constructor(expression: LogExpression) {
    this.#groups = expression.map(needleOf);
  }

  /** @param filter empty where a segment has none @param levels events of each level in the segment, in the order of `countedLevels` */
  mayBeIn(filter: Uint8Array, levels: readonly number[]): boolean {
    return this.#groups.some(
      (group) =>
        (group.levels === null || group.levels.some((level) => (levels[level] ?? 0) > 0)) &&
        (filter.length === 0 ||
          (group.texts.every((text) => mayHoldText(filter, text)) && group.words.every((word) => mayHoldWord(filter, word)))),
    );
  }

  /** Whether every text of some group stands somewhere. @param folded bytes in small letters */
  standIn(folded: Buffer): boolean {
    return this.#groups.some(({ texts }) => texts.every((text) => folded.includes(text)));
  }

  /** Whether nothing is asked for, so that looking at the bytes would be in vain. */
  get isEmpty(): boolean {
    return this.#groups.some(({ texts }) => texts.length === 0);
  }
}

function needleOf(terms: readonly LogTerm[]): Needle {
  const texts: Buffer[] = [];
  const words: Buffer[] = [];
  let levels: readonly number[] | null = null;
  for (const term of terms) {
    if (term.not) continue;
    // Where a mask is shown, something else stands: only what is around it has to be there.
    if (term.kind === "text")
      texts.push(
        ...term.text
          .split(/\*+/)
          .filter(Boolean)
          .map((part) => Buffer.from(part)),
      );
    else if (term.kind === "is" && isWrittenAsItIs(term.field, term.value)) {
      for (const word of wordsIn(term.value)) {
        words.push(Buffer.from(word));
        texts.push(Buffer.from(word));
      }
    } else if (term.kind === "level") {
      const wanted = term.levels.map((level) => countedLevels.indexOf(level));
      levels = levels === null ? wanted : levels.filter((level) => wanted.includes(level));
    }
  }
  return { texts, words, levels };
}

/**
 * Whether a field with this value shows it letter by letter in its line: own fields are not in the line, and encoders of JSON write anything
 * but plain letters, blanks and a few signs in more than one way; a number may be written as 1e3.
 */
function isWrittenAsItIs(field: string, value: string): boolean {
  return (
    !ownFields.some((own) => own === field) && /^[a-z0-9_.:@ -]*$/.test(value) && (!/^[\d.e-]+$/.test(value) || /^\d{1,15}$/.test(value))
  );
}
