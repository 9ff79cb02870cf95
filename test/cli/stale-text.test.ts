import { expect, it } from 'vitest';
import { namesOf } from '../../cli/stale-text.js';

const at = (time: string): number => Date.parse(time);
const [A, B] = ['a'.repeat(64), 'b'.repeat(64)];
const nameOf = namesOf([
  { version: 1, hash: A, sinceMs: null },
  { version: 2, hash: B, sinceMs: at('2025-01-01T00:00:00Z') },
  { version: 3, hash: A, sinceMs: at('2025-06-01T00:00:00Z') },
  { version: 4, hash: B, sinceMs: at('2099-01-01T00:00:00Z') },
]);

it('names a rule set by its newest version that has begun by the hour', () => {
  expect(nameOf(B, '2025-11-21T10:00:00Z')).toBe('2');
  expect(nameOf(A, '2025-11-21T10:00:00Z')).toBe('3');
  expect(nameOf(A, '2025-03-01T10:00:00Z')).toBe('1');
  expect(nameOf(B, '2099-01-01T00:00:00Z')).toBe('4');
});

it('names it by its hash where none of its versions has begun, or there is none', () => {
  expect(nameOf(B, '2024-12-31T23:00:00Z')).toBe(B);
  expect(nameOf('c'.repeat(64), '2025-11-21T10:00:00Z')).toBe('c'.repeat(64));
});
