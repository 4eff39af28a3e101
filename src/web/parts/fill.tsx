interface FillProps {
  /** What it is of, for whoever does not see the bar. */
  readonly label: string;
  /** Of the whole, 0 to 1; null: not known. */
  readonly used: number | null;
  /** What is promised to instances, of the whole; behind what is used. */
  readonly reserved?: number | null;
  readonly text: string;
}

/** Almost nothing is left. */
const nearlyFull = 0.9;

/** How full something is, as a bar with words. */
export function Fill({ label, used, reserved = null, text }: FillProps) {
  const share = used === null ? 0 : Math.min(1, Math.max(0, used));
  return (
    <span class="fill">
      {/* biome-ignore lint/a11y/useSemanticElements: a meter of the browser shows one value, and this one has two */}
      <span
        class="bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={text}
      >
        {reserved !== null && reserved > 0 && <span class="reserved" style={{ width: percent(reserved) }} />}
        <span class={share >= nearlyFull ? "used full" : "used"} style={{ width: percent(share) }} />
      </span>
      <span>{text}</span>
    </span>
  );
}

function percent(share: number): string {
  return `${Math.round(Math.min(1, Math.max(0, share)) * 100)}%`;
}
