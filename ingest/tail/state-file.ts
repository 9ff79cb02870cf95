import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import Type, { type Static } from 'typebox';
import { Check, Errors } from 'typebox/value';
import { TruecountError } from '../../core/errors.js';
import type { KnownFile } from './known-file.js';
import type { OldFile } from './left-alone.js';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });
const SampleSchema = Type.Object({ bytes: Count, sha256: Type.String() }, closed);
const ReaderSchema = Type.Object(
  {
    line: Count,
    row: Count,
    chain: Type.String(),
    header: Type.Optional(Type.Array(Type.String())),
    headerBefore: Type.Optional(Type.Array(Type.String())),
  },
  closed,
);
const place = {
  offset: Count,
  head: SampleSchema,
  tail: SampleSchema,
  skipping: Type.Boolean(),
  reader: Type.Union([ReaderSchema, Type.Null()]),
};
const FileSchema = Type.Object(
  {
    id: Count,
    path: Type.String(),
    firstPath: Type.String(),
    fileId: Type.String(),
    ...place,
    from: Type.Optional(Count),
    unended: Type.Optional(Type.Object(place, closed)),
    archiveBytes: Type.Union([Count, Type.Null()]),
    lastSeenMs: Type.Number(),
  },
  closed,
);
const HeldSchema = Type.Object(
  { fileId: Type.String(), offset: Count, tail: SampleSchema },
  closed,
);
const OldFileSchema = Type.Object(
  {
    mtimeMs: Type.Number(),
    head: Type.Optional(SampleSchema),
    held: Type.Optional(HeldSchema),
  },
  closed,
);
const StateSchema = Type.Object(
  {
    version: Type.Literal(1),
    /** Positions mean what they mean only with the same source, topic and formats. */
    source: Type.String(),
    topic: Type.String(),
    format: Type.String(),
    createdMs: Type.Number(),
    nextId: Count,
    files: Type.Array(FileSchema),
    /** Paths of named files whose old rotated ones were left alone, at the first look for them. */
    asked: Type.Optional(Type.Array(Type.String())),
    /** Paths of named files whose folder could not be looked at yet, since they were asked for. */
    awaited: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), sinceMs: Type.Number() }, closed)),
    ),
    leftAlone: Type.Optional(Type.Array(OldFileSchema)),
  },
  closed,
);

/** What a tail remembers. */
export type TailState = Omit<
  Static<typeof StateSchema>,
  'files' | 'asked' | 'awaited' | 'leftAlone'
> & {
  readonly files: readonly KnownFile[];
  readonly asked?: readonly string[];
  readonly awaited?: readonly { readonly path: string; readonly sinceMs: number }[];
  readonly leftAlone?: readonly OldFile[];
};

/** What a state was begun with: another tail must not go on with it. */
export type StateOwner = Pick<TailState, 'source' | 'topic' | 'format'>;

/**
 * Reads a state file; a new state if there is none.
 * @throws TruecountError `invalid_argument` if the file is damaged, `conflict` if it was begun with
 * another source, topic or format: ids would be others, and clicks counted twice. One by which
 * nothing was read yet (a first start with a topic that is not there) is taken over.
 */
export function readState(path: string, owner: StateOwner, nowMs: number): TailState {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return { version: 1, ...ownerOf(owner), createdMs: nowMs, nextId: 1, files: [] };
    }
    throw damaged(path, (cause as Error).message, cause);
  }
  const state = parseState(path, text);
  if (isUnused(state)) return { ...state, ...ownerOf(owner) };
  for (const key of ['source', 'topic', 'format'] as const) {
    if (state[key] === owner[key]) continue;
    const message = `${path} was begun with ${key} ${state[key]}, this is ${key} ${owner[key]}`;
    throw new TruecountError('conflict', message, {
      hint: `use the same ${key}, or another file with --state: clicks would get other ids or miss`,
      context: { state: path, key },
    });
  }
  return state;
}

function ownerOf({ source, topic, format }: StateOwner): StateOwner {
  return { source, topic, format };
}

/** Whether no byte of any file was acknowledged, and none of them forgotten. */
function isUnused({ files, nextId }: TailState): boolean {
  return files.length === nextId - 1 && files.every(({ offset }) => offset === 0);
}

function parseState(path: string, text: string): TailState {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, (cause as Error).message, cause);
  }
  if (Check(StateSchema, document)) return document;
  const error = Errors(StateSchema, document).at(-1);
  throw damaged(path, `${error?.instancePath ?? ''} ${error?.message ?? 'is not valid'}`.trim());
}

function damaged(path: string, why: string, cause?: unknown): TruecountError {
  return new TruecountError('invalid_argument', `the state file ${path} cannot be used: ${why}`, {
    hint:
      'put a copy of it back, or move it away: all files are then read again from their ' +
      'beginning, which counts nothing twice within the hours that are remembered or recomputed',
    context: { state: path },
    cause,
  });
}

/**
 * Writes the state so that a crash at any moment leaves the old one or the new one: another file,
 * fsync, rename, fsync of the folder.
 */
export async function writeState(path: string, state: TailState): Promise<void> {
  const next = `${path}.next`;
  const file = await open(next, 'w', 0o640);
  try {
    await file.writeFile(`${JSON.stringify(state)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes the folder of a state file, and removes what a crash left of a write. */
export function prepareStateFolder(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(`${path}.next`, { force: true });
}
