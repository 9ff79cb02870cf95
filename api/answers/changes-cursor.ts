import Type, { type Static } from 'typebox';
import { Check } from 'typebox/value';
import { TruecountError } from '../../core/errors.js';
import { TIME_MS_END, TIME_MS_MIN } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type { ChangePosition } from '../../store/read/changes.js';

const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Postgres has no text with a zero byte. */
const Text = Type.String({ pattern: '^[^\\u0000]*$' });
const Hour = Type.Integer({ minimum: TIME_MS_MIN, exclusiveMaximum: TIME_MS_END });

/** What a cursor holds: up to where, publication, hour, and the cell where the page ended. */
const CursorSchema = Type.Union([
  Type.Tuple([Whole, Whole, Hour]),
  Type.Tuple([Whole, Whole, Hour, Text, Text, Type.Integer({ minimum: 0, maximum: 59 })]),
]);

/** A position as text for a URL. Clients pass it on as it is. */
export function cursorOf({ upTo, publication, hourMs, cell }: ChangePosition): string {
  const inHour = cell === null ? [] : [cell.filter, cell.adId, cell.minute];
  return Buffer.from(JSON.stringify([upTo, publication, hourMs, ...inHour])).toString('base64url');
}

/**
 * The position of a cursor.
 * @throws TruecountError `invalid_argument` for a text that is no cursor of this question
 */
export function positionOf(text: string, after: number): ChangePosition {
  const value = parse(text);
  if (!Check(CursorSchema, value) || !isOf(value, after)) {
    throw new TruecountError('invalid_argument', 'cursor is not one of this question', {
      hint: 'use `next` of the page before, with the same after; or begin again without a cursor',
      context: { parameter: 'cursor' },
    });
  }
  const [upTo, publication, hourMs, filter, adId, minute] = value;
  const cell =
    filter === undefined || adId === undefined || minute === undefined
      ? null
      : { filter, adId, minute };
  return { upTo, publication, hourMs, cell };
}

/** Whether a page of the question can end there. */
function isOf([upTo, publication, hourMs]: Static<typeof CursorSchema>, after: number): boolean {
  return publication > after && publication <= upTo && hourMs % HOUR_MS === 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
