import { invalid } from './json-shape.js';
import type { Condition, Value } from './rule-set.js';

/**
 * Instructions of patterns that one click may have to go through, each once per character. With the
 * longest text (4 KiB) and patterns that begin anywhere, a rule set at the bound took 0.8 to 1.9 s
 * on two cores; with a user agent of 100 characters, up to 40 ms.
 */
export const PATTERN_SIZE_MAX = 10_000;

/** Adds up the patterns of a rule set while it is read, so that reading ends where they are too many. */
export class PatternBudget {
  private readonly sizes = new Map<string, number>();
  private read = 0;
  private used = 0;

  /** A pattern that was read. @throws TruecountError invalid_rule_set */
  take(place: string, pattern: string, size: number): void {
    this.sizes.set(pattern, size);
    this.read += size;
    if (this.read > PATTERN_SIZE_MAX) throw tooLarge(place);
  }

  /** Size of the patterns of a value itself, without what it is made of. */
  ofValue({ match = [] }: Value): number {
    return match.reduce((sum, { pattern }) => sum + this.sizes.get(pattern)!, 0);
  }

  ofCondition(condition: Condition): number {
    return 'matches' in condition ? this.sizes.get(condition.matches)! : 0;
  }

  /**
   * Patterns that a dimension or condition goes through, with those of all that it is made of: of a value
   * that several use, once for each. @throws TruecountError invalid_rule_set
   */
  use(place: string, size: number): void {
    this.used += size;
    if (this.used > PATTERN_SIZE_MAX) throw tooLarge(place);
  }
}

function tooLarge(place: string): Error {
  const max = String(PATTERN_SIZE_MAX);
  return invalid(
    place,
    `makes the patterns that a click goes through larger than ${max} instructions: ` +
      'have fewer or shorter ones, and repeat less in them',
  );
}
