/** Texts up to here are found by their words: countries, devices, formats. */
const BYTES_MAX = 12;
/** A power of two. */
const SLOTS = 1024;
const SLOT_SHIFT = 32 - Math.log2(SLOTS);
/** Of a slot: three words of text, its length and 1 (0: empty), the number. */
const SLOT_WORDS = 5;

const NO_SOURCE = new Uint8Array(0);

/** The bytes of each word that belong to a text, by its length. */
const MASKS = [0, 4, 8].map((from) =>
  Int32Array.from({ length: BYTES_MAX + 1 }, (_, length) => {
    const bytes = Math.min(Math.max(length - from, 0), 4);
    return bytes === 4 ? -1 : (1 << (8 * bytes)) - 1;
  }),
);
const [FIRST, SECOND, THIRD] = MASKS as [Int32Array, Int32Array, Int32Array];

/**
 * A number for each short text that was seen lately, found without a loop over its bytes: what the
 * processor guesses wrong costs more than the comparison. A text may be forgotten for another one.
 */
export class ShortTexts {
  private readonly slots = new Int32Array(SLOTS * SLOT_WORDS);
  private source: Uint8Array = NO_SOURCE;
  private words = viewOf(NO_SOURCE);

  /** The number of the text at `[start, end)`; -1 if it is not known, or not short. */
  find(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > BYTES_MAX || start + BYTES_MAX > source.length) return -1;
    if (source !== this.source) this.open(source);
    const { words, slots } = this;
    const first = words.getInt32(start, true) & FIRST[length]!;
    const second = words.getInt32(start + 4, true) & SECOND[length]!;
    const third = words.getInt32(start + 8, true) & THIRD[length]!;
    const at = placeOf(first, second, third);
    const found =
      slots[at] === first &&
      slots[at + 1] === second &&
      slots[at + 2] === third &&
      slots[at + 3] === length + 1;
    return found ? slots[at + 4]! : -1;
  }

  /** `number`: from 0. A text that is not short stays unknown. */
  remember(source: Uint8Array, start: number, end: number, number: number): void {
    const length = end - start;
    if (length > BYTES_MAX || start + BYTES_MAX > source.length) return;
    if (source !== this.source) this.open(source);
    const first = this.words.getInt32(start, true) & FIRST[length]!;
    const second = this.words.getInt32(start + 4, true) & SECOND[length]!;
    const third = this.words.getInt32(start + 8, true) & THIRD[length]!;
    this.slots.set([first, second, third, length + 1, number], placeOf(first, second, third));
  }

  clear(): void {
    this.slots.fill(0);
    this.open(NO_SOURCE);
  }

  private open(source: Uint8Array): void {
    this.source = source;
    this.words = viewOf(source);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function placeOf(first: number, second: number, third: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b) ^ third;
  return (Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) >>> SLOT_SHIFT) * SLOT_WORDS;
}
