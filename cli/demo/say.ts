import { print } from '../output.js';

export function number(n: number): string {
  return n.toLocaleString('en');
}

/** One line of the story. An empty title goes on with the one before. */
export function line(title: string, text: string): void {
  print(`  ${title.padEnd(9)} ${text}`);
}

/** Time since `fromMs` (performance.now). */
export function seconds(fromMs: number): string {
  return `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
}

/** `1 hour`, `2 hours`. */
export function plural(n: number, noun: string): string {
  return `${number(n)} ${noun}${n === 1 ? '' : 's'}`;
}
