export const LF = 0x0a;

export interface TakeInputs {
  /** A line may be so long; a longer one is given as null. */
  readonly bytesMax: number;
  /** The bytes begin within a line over the limit. */
  readonly skipping: boolean;
  /** Nothing will be appended: what stands behind the last line end is a line. */
  readonly last: boolean;
}

export interface TakenLine {
  /** Without its LF; null for a line over the limit. */
  readonly bytes: Buffer | null;
  /** Where the next line begins, in the bytes that were given. */
  readonly next: number;
}

export interface TakenLines {
  readonly lines: readonly TakenLine[];
  /** Bytes that the lines took; the others are to be given again, with what follows them. */
  readonly taken: number;
  /** The taken bytes end within a line over the limit. */
  readonly skipping: boolean;
}

/**
 * Takes the lines of appended bytes. A line without an end waits, unless it is over the limit: then
 * its bytes are taken, and it becomes one null when its end has come.
 */
export function takeLines(bytes: Buffer, inputs: TakeInputs): TakenLines {
  const lines: TakenLine[] = [];
  let { skipping } = inputs;
  let taken = 0;
  const take = (end: number, next: number): void => {
    const tooLong = skipping || end - taken > inputs.bytesMax;
    lines.push({ bytes: tooLong ? null : bytes.subarray(taken, end), next });
    skipping = false;
    taken = next;
  };
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, taken)) take(at, at + 1);
  const rest = bytes.length - taken;
  if (inputs.last && (rest > 0 || skipping)) take(bytes.length, bytes.length);
  else if (skipping || rest > inputs.bytesMax) {
    taken = bytes.length;
    skipping = true;
  }
  return { lines, taken, skipping };
}
