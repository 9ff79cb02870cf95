import { RE2JS } from 're2js';

/** Says whether a text holds a match. */
export type Pattern = (text: string) => boolean;

/** Longer ones are refused: a pattern is compiled by every engine that counts. */
export const PATTERN_CHARS_MAX = 1_000;

/**
 * Compiles a pattern in RE2 syntax, whose matching takes time linear in the text: what would need
 * more (backreferences, lookaround) is no pattern. `(?i)` in front ignores case. One implementation
 * serves all engines, so that no two of them can read a pattern differently.
 * @throws SyntaxError with what is wrong
 */
export function compilePattern(source: string): Pattern {
  const compiled = compiledOf(source);
  return (text) => compiled.matcher(text).find();
}

/**
 * Instructions of the compiled pattern: each may be looked at once per character of a text. A counted
 * repetition takes as many as if it were written out. Throws as `compilePattern`.
 */
export function patternSize(source: string): number {
  return compiledOf(source).programSize();
}

function compiledOf(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    throw new SyntaxError(cause instanceof Error ? cause.message : 'cannot be read', { cause });
  }
}
