import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';

/**
 * The two channels of the command line. Results go to stdout: with `--json` one JSON document and
 * nothing else, otherwise text for people. Words and progress go to stderr.
 */

/** One JSON document on stdout. */
export function printJson(document: unknown): void {
  process.stdout.write(`${jsonText(document)}\n`);
}

/** JSON in which a bigint is a whole number, which `JSON.stringify` refuses to write. */
export function jsonText(document: unknown): string {
  const mark = randomUUID();
  const large: string[] = [];
  const text = JSON.stringify(
    document,
    (_name, value: unknown) =>
      typeof value === 'bigint' ? (large.push(String(value)), mark) : value,
    2,
  );
  return text.replaceAll(`"${mark}"`, () => large.shift()!);
}

/** A result for people, on stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Words for people, on stderr. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints a result: the document with `--json`, else the text that `human` makes of it. */
export function printResult(json: boolean, document: unknown, human: () => string): void {
  if (json) printJson(document);
  else print(human());
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** Colours for a terminal; none where the stream is no terminal or NO_COLOR is set. */
export function styleFor(stream: { isTTY?: boolean }): Style {
  const noColor = process.env['NO_COLOR'];
  const colours = stream.isTTY === true && (noColor === undefined || noColor === '');
  const sgr = (on: number, off: number) => (text: string) =>
    colours ? `\u001b[${String(on)}m${text}\u001b[${String(off)}m` : text;
  return {
    bold: sgr(1, 22),
    dim: sgr(2, 22),
    red: sgr(31, 39),
    green: sgr(32, 39),
    yellow: sgr(33, 39),
  };
}

/** Rows as aligned columns, two spaces between them, no trailing blanks. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Progress on stderr: on a terminal one line that is written over, elsewhere a line whenever at
 * least `everyMs` have passed since the last one.
 */
export class Progress {
  #lastMs = -Infinity;
  #open = false;

  constructor(private readonly everyMs = 2_000) {}

  update(text: string): void {
    const nowMs = performance.now();
    if (process.stderr.isTTY) {
      if (nowMs - this.#lastMs < 100) return;
      process.stderr.write(`\r\u001b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
      this.#open = true;
    } else {
      if (nowMs - this.#lastMs < this.everyMs) return;
      say(text);
    }
    this.#lastMs = nowMs;
  }

  /** Ends the line, with a last word if there is one. */
  done(text?: string): void {
    if (this.#open) process.stderr.write('\r\u001b[K');
    this.#open = false;
    if (text !== undefined) say(text);
  }
}

/** Adds the examples that every verb's `--help` ends with; each works when pasted. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length === 1 ? 'Example' : 'Examples';
  return command.addHelpText('after', `\n${title}:\n${lines.map((l) => `  $ ${l}`).join('\n')}`);
}
