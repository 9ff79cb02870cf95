import Type, { type Static } from 'typebox';
import { formatTime } from '../../core/range.js';
import { readChanges } from '../../store/read/changes.js';
import type { Reader } from '../../store/read/connection.js';
import { CountSchema, TimeSchema } from '../schemas.js';
import { cursorOf, positionOf } from './changes-cursor.js';

/** Cells in one page at most, and by default. */
export const CHANGES_MAX = 10_000;
export const CHANGES_DEFAULT = 1_000;

/** The question as it is asked. Its numbers are in bounds. */
export interface ChangesAsked {
  readonly after: number;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

const Publication = Type.Integer({ description: 'the publication that brought it' });

const ChangeDocument = Type.Object({
  publication: Publication,
  hour: TimeSchema,
  revision: Type.Integer({ minimum: 1 }),
  ad_id: Type.String(),
  minute: TimeSchema,
  filter_id: Type.Optional(Type.String()),
  before: Type.Integer({ minimum: 0, description: 'under the revision before; of the first: 0' }),
  count: CountSchema,
});

const RevisionDocument = Type.Object({
  publication: Publication,
  hour: TimeSchema,
  revision: Type.Integer({ minimum: 1 }),
  generation: Type.Integer(),
});

export const ChangesDocument = Type.Object(
  {
    after: Type.Integer({ minimum: 0 }),
    as_of: Type.Integer({
      minimum: 0,
      description: 'the publication that whoever has read the last page has reached',
    }),
    changes: Type.Array(ChangeDocument, {
      description: 'by publication, hour, filter_id, ad_id and minute',
    }),
    revisions: Type.Array(RevisionDocument, {
      description: 'what the page tells of: also revisions in which no cell differs',
    }),
    next: Type.Object(
      {
        after: Type.Integer({ minimum: 0 }),
        cursor: Type.Union([Type.String(), Type.Null()], { description: 'null: the last page' }),
      },
      { description: 'the next question: the next page, or what comes after the last' },
    ),
  },
  { description: 'the cells in which revisions differ from the ones before' },
);

/**
 * Answers what was published after a publication, a page at a time.
 * @throws TruecountError `invalid_argument` (cursor), `not_found`, `collected`, those of a read
 */
export async function answerChanges(
  reader: Reader,
  { after, limit, cursor }: ChangesAsked,
): Promise<Static<typeof ChangesDocument>> {
  const position = cursor === undefined ? undefined : positionOf(cursor, after);
  const found = await readChanges(reader, { after, limit: limit ?? CHANGES_DEFAULT, position });
  return {
    after,
    as_of: found.asOf,
    changes: found.changes.map((change) => ({
      publication: change.publication,
      hour: formatTime(change.hourMs),
      revision: change.revision,
      ad_id: change.adId,
      minute: formatTime(change.minuteMs),
      ...(change.filter === '' ? {} : { filter_id: change.filter }),
      before: change.before,
      count: change.count,
    })),
    revisions: found.hours.map(({ publication, hourMs, revision, generation }) => ({
      publication,
      hour: formatTime(hourMs),
      revision,
      generation,
    })),
    next:
      found.next === null
        ? { after: found.asOf, cursor: null }
        : { after, cursor: cursorOf(found.next) },
  };
}
