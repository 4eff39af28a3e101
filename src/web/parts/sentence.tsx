/** Text of Drover's own, whose commands and keys stand between backticks. */
export function Sentence({ text }: { readonly text: string }) {
  return text.split("`").map((part, i) => (i % 2 === 1 ? <code key={part}>{part}</code> : part));
}
