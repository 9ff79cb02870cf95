import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { DifferenceDocument, answerDifference } from '../answers/rules-difference.js';
import { RULES_BODY_BYTES_MAX } from '../answers/rules-inline.js';
import {
  PutRulesBody,
  PutRulesDocument,
  RehearsedRulesDocument,
  answerPut,
  answerRehearsal,
  wantedRules,
  type PutRuleSet,
} from '../answers/rules-put.js';
import { TrialBody, TrialsDocument, answerTrials, type TryRules } from '../answers/rules-trial.js';
import { RuleSetDocument, RulesDocument, answerRuleSet, answerRules } from '../answers/rules.js';
import { StaleRulesDocument, answerStaleRules } from '../answers/stale-rules.js';
import { FromSchema, PROBLEM_RESPONSES, ToSchema } from '../schemas.js';
import type { Api } from '../type-provider.js';

const list = {
  summary: 'The rule sets that were put in force',
  operationId: 'rules',
  querystring: Type.Object({}, { additionalProperties: false }),
  response: { 200: RulesDocument, ...PROBLEM_RESPONSES },
};

const one = {
  summary: 'A rule set, by the number of a version or by its hash',
  operationId: 'ruleSet',
  params: Type.Object({ name: Type.String({ description: 'version or hash', examples: ['2'] }) }),
  querystring: Type.Object({}, { additionalProperties: false }),
  response: { 200: RuleSetDocument, ...PROBLEM_RESPONSES },
};

const stale = {
  summary: 'Final hours counted by another rule set than the one in force for them',
  operationId: 'staleRules',
  querystring: Type.Object(
    { from: Type.Optional(FromSchema), to: Type.Optional(ToSchema) },
    { additionalProperties: false },
  ),
  response: { 200: StaleRulesDocument, ...PROBLEM_RESPONSES },
};

const name = (description: string) => Type.String({ description, examples: ['1'], minLength: 1 });

const difference = {
  summary: 'What is different between two rule sets',
  operationId: 'differenceOfRules',
  querystring: Type.Object(
    { a: name('version or hash: before'), b: name('version or hash: after') },
    { additionalProperties: false },
  ),
  response: { 200: DifferenceDocument, ...PROBLEM_RESPONSES },
};

const trial = {
  summary: 'Step by step, what a rule set does with clicks',
  operationId: 'tryRules',
  body: TrialBody,
  response: { 200: TrialsDocument, ...PROBLEM_RESPONSES },
};

const put = {
  summary: 'Put a rule set in force, as the next version',
  operationId: 'putRules',
  body: PutRulesBody,
  response: {
    200: Type.Union([PutRulesDocument, RehearsedRulesDocument], {
      description: 'it was the newest already, or a dry run: nothing changed',
    }),
    201: PutRulesDocument,
    ...PROBLEM_RESPONSES,
  },
};

/** What routes of rules need beside reads; without it they refuse. */
export interface RulesPorts {
  /** For `POST /rules`. */
  readonly putRules?: PutRuleSet | undefined;
  /** For `POST /rules/try`. */
  readonly tryRules?: TryRules | undefined;
}

/** Reads of rule sets, `POST /rules/try` and `POST /rules`. */
export function rulesRoute(api: Api, reader: Reader, { putRules, tryRules }: RulesPorts): void {
  const bodyLimit = RULES_BODY_BYTES_MAX;
  api.get('/rules', { schema: list }, async () => answerRules(reader));
  api.get('/rules/stale', { schema: stale }, async (request) =>
    answerStaleRules(reader, request.query),
  );
  api.get('/rules/:name', { schema: one }, async (request) =>
    answerRuleSet(reader, request.params.name),
  );
  api.get('/rules/diff', { schema: difference }, async (request) =>
    answerDifference(reader, request.query),
  );
  api.post('/rules/try', { schema: trial, bodyLimit }, async (request) =>
    answerTrials(reader, tryRules, request.body),
  );
  api.post('/rules', { schema: put, bodyLimit }, async (request, reply) => {
    const wanted = wantedRules(request.body);
    if (wanted.rehearsal) return answerRehearsal(reader, wanted.ruleSet, wanted);
    const answer = await answerPut(reader, putRules, wanted);
    if (answer.existed) return answer;
    void reply.header('location', `/rules/${String(answer.version)}`);
    return reply.code(201).send(answer);
  });
}
