import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cursorOf, positionOf } from '../../api/answers/changes-cursor.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import type { ChangePosition } from '../../store/read/changes.js';

const HOUR_MS = 3_600_000;
const TEN_MS = Date.UTC(2026, 10, 21, 10);
const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The position that a text gives, or null where it is refused as it must be. */
function read(text: string): ChangePosition | null {
  try {
    return positionOf(text, 0);
  } catch (error) {
    if (!(error instanceof TruecountError)) throw error;
    expect(error.code).toBe('invalid_argument');
    return null;
  }
}

test('a position comes back as it was', () => {
  const cell = fc.record({
    filter: fc.string(),
    adId: fc.string({ minLength: 1 }),
    minute: fc.integer({ min: 0, max: 59 }),
  });
  const positions = fc.record({
    upTo: fc.integer({ min: 9, max: 2 ** 40 }),
    publication: fc.integer({ min: 1, max: 9 }),
    hourMs: fc.integer({ min: 0, max: 500_000 }).map((hours) => hours * HOUR_MS),
    cell: fc.option(cell),
  });
  fc.assert(
    fc.property(positions, (position) => {
      const safe = !JSON.stringify(position).includes('\\u0000');
      expect(read(cursorOf(position))).toEqual(safe ? position : null);
    }),
  );
});

test.each([
  [[1, 1, -8_640_000_000_000_000]],
  [[1, 1, 8_640_000_000_000_000]],
  [[1, 1, Date.parse('0000-12-31T23:00:00Z')]],
  [[1, 1, TEN_MS + 1]],
  [[1, 2, TEN_MS]],
  [[1, 0, TEN_MS]],
  [[1, 1, TEN_MS, '', 'a\u0000b', 5]],
  [[1, 1, TEN_MS, '', 'a', 60]],
  [[1, 1, TEN_MS, '']],
  [[1.5, 1, TEN_MS]],
  [{}],
  [null],
])('a forged %j is refused', (value) => {
  expect(read(forged(value))).toBeNull();
});

test('any text is refused, or a position that Postgres can be asked for', () => {
  const number = fc.oneof(
    fc.constantFrom(0, 1, 2 ** 53, -(2 ** 53), 8.64e15, -8.64e15, 1e300, TEN_MS),
    fc.integer({ min: -2_000_000, max: 4_000_000 }).map((hours) => hours * HOUR_MS * 20),
    fc.double(),
  );
  const small = fc.integer({ min: 0, max: 2 });
  const shaped = fc.oneof(
    fc.tuple(small, small, number),
    fc.tuple(number, number, number),
    fc.tuple(small, small, number, fc.string({ unit: 'binary' }), fc.string(), fc.integer()),
    fc.jsonValue(),
  );
  const texts = fc.oneof(shaped.map(forged), fc.string({ unit: 'binary' }), fc.base64String());
  let taken = 0;
  const property = fc.property(texts, (text) => {
    const position = read(text);
    if (position === null) return;
    taken++;
    expect(formatTime(position.hourMs)).toMatch(/^(?!0000)\d{4}-\d\d-\d\dT\d\d:00:00Z$/);
    expect(Number.isSafeInteger(position.upTo)).toBe(true);
    expect(position.publication).toBeGreaterThan(0);
    expect(`${position.cell?.filter ?? ''}${position.cell?.adId ?? ''}`).not.toContain('\u0000');
  });
  fc.assert(property, { numRuns: 3_000 });
  expect(taken).toBeGreaterThan(0);
});
