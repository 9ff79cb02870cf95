import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const Text = Type.String({ minLength: 1 });

const ColumnSchema = Type.Object(
  {
    column: Type.String({
      minLength: 1,
      description: 'A column of the CSV, a field of the log, or a member of the JSON object.',
    }),
    decode: Type.Optional(
      Type.Literal('percent', { description: 'Undoes %20 and the like in its text.' }),
    ),
  },
  { ...closed, description: 'What a column holds.' },
);

const ConstantSchema = Type.Object(
  { value: Text },
  { ...closed, description: 'The same text for every click.' },
);

/** Where the text of a field comes from. */
export const ValueSchema = Type.Union([ColumnSchema, ConstantSchema]);

const PositionSchema = Type.Object(
  { position: Type.Literal(true) },
  {
    ...closed,
    description: 'The number of the row and a hash of everything up to it: for files without ids.',
  },
);

const TimestampSchema = Type.Object(
  {
    column: Text,
    format: Type.String({
      minLength: 1,
      description:
        'rfc3339, epoch_ms, epoch_s, clf, or a pattern of yyyy, MM, dd, HH, mm, ss and SSS, which ' +
        'is read as UTC.',
    }),
  },
  { ...closed, description: 'When it was clicked.' },
);

const CsvSchema = Type.Object(
  {
    delimiter: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1,
        description: 'Between the cells; default a comma, with --format tsv a tab.',
      }),
    ),
    columns: Type.Optional(
      Type.Array(Text, { minItems: 1, description: 'Names, if the file has no line of them.' }),
    ),
  },
  closed,
);

const LogSchema = Type.Object(
  {
    format: Type.String({
      minLength: 1,
      description:
        "Of a line, as in the server's configuration: an Apache LogFormat (%h %l %u %t) or an " +
        'nginx log_format ($remote_addr - $remote_user [$time_local]). Used with --format log.',
    }),
  },
  closed,
);

/** The one definition of a mapping: what is checked, and what docs/reference publishes. */
export const MappingSchema = Type.Object(
  {
    event_id: Type.Union([ColumnSchema, PositionSchema], {
      description: 'What makes two records one click.',
    }),
    ad_id: Type.Union([ColumnSchema, ConstantSchema], { description: 'What was clicked.' }),
    timestamp: TimestampSchema,
    fields: Type.Optional(
      Type.Record(Type.String(), ValueSchema, {
        description:
          'Further members of the click, by name. country, device and ad_format are the built-in ' +
          'dimensions.',
      }),
    ),
    csv: Type.Optional(CsvSchema),
    log: Type.Optional(LogSchema),
  },
  closed,
);

/** How the columns of a source become a click; docs/reference/mappings.md. */
export type Mapping = Static<typeof MappingSchema>;

/** A column of the source. */
export type Column = Static<typeof ColumnSchema>;
