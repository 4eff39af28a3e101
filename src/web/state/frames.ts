interface Frames<T> {
  readonly add: (item: T) => void;
  /** Hands on what still waits; nothing is lost. */
  readonly end: () => void;
}

/** Hands items on once a frame: a flood costs no more drawing than a trickle. @param most of them, the latest; hidden pages have no frames */
export function collectFrames<T>(most: number, give: (items: readonly T[]) => void): Frames<T> {
  let waiting: T[] = [];
  let frame = 0;
  const flush = () => {
    frame = 0;
    const items = waiting;
    waiting = [];
    give(items);
  };
  return {
    add: (item) => {
      waiting.push(item);
      // Twice as many, so that a flood does not copy all of them with each item.
      if (waiting.length > 2 * most) waiting = waiting.slice(-most);
      if (frame === 0) frame = requestAnimationFrame(flush);
    },
    end: () => {
      cancelAnimationFrame(frame);
      if (waiting.length > 0) flush();
    },
  };
}
