import { Option } from 'commander';
import type { Command } from 'commander';
import { TruecountError } from '../core/errors.js';
import { formatByName } from '../ingest/formats/format-by-name.js';
import { FORMATS, openRecordReader } from '../ingest/formats/record-reader.js';
import type { Format, ReaderState, RecordReader } from '../ingest/formats/record-reader.js';
import type { Mapping } from '../ingest/mapping/mapping-schema.js';
import { readMappingFile } from './mapping-file.js';

/** Options of verbs that read files of clicks. */
export interface FormatOptions {
  readonly format?: Format | undefined;
  readonly mapping?: string | undefined;
  readonly source?: string | undefined;
}

export function withFormatOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--format <name>',
        'default: log if the mapping has one, csv or tsv by the name, else ndjson',
      ).choices(FORMATS),
    )
    .option('--mapping <file>', 'YAML or JSON: which columns of a CSV or log make a click')
    .option('--source <name>', 'tells sources with equal lines apart in ids by position');
}

/**
 * A reader for a file as the options say.
 * @throws TruecountError `not_found`, `invalid_mapping`, `invalid_argument`
 */
export function readerFor(path: string, options: FormatOptions, state?: ReaderState): RecordReader {
  const mapping = mappingOf(options);
  const format = formatFor(path, options.format, mapping);
  return openRecordReader({ format, mapping, source: options.source, state });
}

/** The format that a file is read in. */
export function formatName(path: string, options: FormatOptions): Format {
  return formatFor(path, options.format, mappingOf(options));
}

/**
 * The format for a file of this name: the one that is asked for, else that of the mapping, else
 * that of the name.
 * @throws TruecountError `invalid_argument` for NDJSON with a mapping, which would not be used.
 */
export function formatFor(
  path: string,
  asked: Format | undefined,
  mapping: Mapping | undefined,
): Format {
  const byMapping = mapping?.log === undefined ? undefined : 'log';
  const format = asked ?? byMapping ?? formatByName(path);
  if (format !== 'ndjson' || mapping === undefined) return format;
  throw new TruecountError(
    'invalid_argument',
    `--mapping is for CSV and logs; ${path} would be NDJSON`,
    { hint: 'add --format csv, or combined-log; a line of NDJSON is sent as it is' },
  );
}

function mappingOf({ mapping }: FormatOptions): Mapping | undefined {
  return mapping === undefined ? undefined : readMappingFile(mapping).mapping;
}
