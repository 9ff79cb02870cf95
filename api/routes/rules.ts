import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
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

/** `GET /rules`, `GET /rules/stale` and `GET /rules/{name}` */
export function rulesRoute(api: Api, reader: Reader): void {
  api.get('/rules', { schema: list }, async () => answerRules(reader));
  api.get('/rules/stale', { schema: stale }, async (request) =>
    answerStaleRules(reader, request.query),
  );
  api.get('/rules/:name', { schema: one }, async (request) =>
    answerRuleSet(reader, request.params.name),
  );
}
