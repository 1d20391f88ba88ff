import { Argument, Command } from 'commander'
import { z } from 'zod'
import { builtinRules, checkRules, ruleSchema } from '../../index.js'
import { ChunkedWriter } from '../output.js'
import { safeJson } from '../terminal.js'
import { quoted } from '../values.js'
import { checkedFile, configSchemaOf } from '../watch/config.js'
import { matchesNow } from './matches_now.js'
import { ruleLine, ruleRecord } from './rule_line.js'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('check a file of rules; print the form of such a file as JSON Schema')
    .addCommand(checkCommand())
    .addCommand(schemaCommand())
    .addHelpText('after', HELP)
}

function checkCommand(): Command {
  return new Command('check')
    .description(
      'check a configuration file: its faults with line and column, or its rules in normal form, and how many processes each matches now',
    )
    .addArgument(new Argument('<file>', 'the YAML file'))
    .option('--json', 'JSON Lines on stdout, one record per rule')
    .addHelpText('after', CHECK_HELP)
    .action(check)
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of a configuration file, for editors')
    .action(() => {
      const schema = z.toJSONSchema(configSchemaOf(ruleSchema), { io: 'input' })
      process.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`)
    })
}

async function check(file: string, { json }: { json?: true }): Promise<void> {
  const { written } = await checkedFile(file, quoted(file), configSchemaOf(ruleSchema))
  const builtin = builtinRules(Object.fromEntries((written.builtin ?? []).map((name) => [name, true])))
  const rules = [...builtin, ...(written.rules ?? [])]
  const matches = await matchesNow(rules)
  const writer = new ChunkedWriter(process.stdout)
  for (const rule of checkRules(rules)) {
    const count = rule.enabled ? matches.get(rule.name) : undefined
    await writer.write(`${json ? safeJson(ruleRecord(rule, count)) : ruleLine(rule, count)}\n`)
  }
  await writer.flush()
}

const CHECK_HELP = `
Nothing is acted on. The language of rules: \`muster watch --help\`, and docs/rules.md.

Exit codes: 0 all is right; 2 no file given; 8 a fault in the file, or it cannot be read. \`muster --help\` lists all.`

const HELP = `
Examples:
  muster rules check /etc/muster.yaml
  muster rules check muster.yaml --json | jq -r '.name + ": " + .when'
  muster rules schema > muster.schema.json     then, on top of muster.yaml:
                                               # yaml-language-server: $schema=muster.schema.json`
