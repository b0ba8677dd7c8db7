# Runs the fixture in gdb to `stop` and prints what gdb knows about it as JSON: the oracle of debuginfo.gdb.test.ts.
import gdb
import json
import os

REGISTERS = ["rbx", "rbp", "rsp", "r12", "r13", "r14", "r15", "rip"]


def value(v, depth=0):
    try:
        t = v.type.strip_typedefs()
        if v.is_optimized_out:
            return "optimizedOut"
        if t.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            return {f.name: value(v[f], depth + 1) for f in t.fields() if f.name}
        if t.code == gdb.TYPE_CODE_ARRAY:
            # gdb gives an array without a bound, a flexible member, one element.
            if t.sizeof == 0:
                return []
            low, high = t.range()
            return [value(v[i], depth + 1) for i in range(low, high + 1)] if high < 64 else "long"
        if t.code == gdb.TYPE_CODE_FLT:
            return "float " + repr(float(v))
        if t.code == gdb.TYPE_CODE_FUNC:
            return "function"
        return str(int(v))
    except gdb.error as error:
        return "optimizedOut" if "optimized out" in str(error) else "error " + str(error)


def variables(frame):
    found = {}
    try:
        block = frame.block()
    except RuntimeError:
        return found
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if (symbol.is_argument or symbol.is_variable) and symbol.name not in found:
                v = symbol.value(frame)
                found[symbol.name] = {"argument": symbol.is_argument, "type": str(v.type), "value": value(v)}
        if block.function is not None:
            break
        block = block.superblock
    return found


def frames():
    frame = gdb.newest_frame()
    result = []
    while frame is not None:
        sal = frame.find_sal()
        result.append({
            "name": frame.name(),
            "inline": frame.type() == gdb.INLINE_FRAME,
            "pc": str(frame.pc()),
            "line": sal.line,
            "registers": {r: str(int(frame.read_register(r)) & 0xFFFFFFFFFFFFFFFF) for r in REGISTERS},
            "variables": variables(frame),
        })
        if frame.name() == "main":
            break
        frame = frame.older()
    return result


def layout(name):
    t = gdb.lookup_type(name)
    fields = []
    for f in t.fields():
        fields.append([f.name or None, f.bitpos, f.bitsize, f.type.sizeof, str(f.type)])
    return {"size": t.sizeof, "fields": fields}


def evaluate(expressions):
    results = {}
    for text in expressions:
        try:
            v = gdb.parse_and_eval(text)
            results[text] = {"value": value(v), "type": str(v.type)}
        except gdb.error as error:
            results[text] = {"error": str(error)}
    return results


request = json.loads(os.environ["ORACLE_REQUEST"])
gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set startup-with-shell off")
gdb.execute("set print entry-values no")
gdb.Breakpoint("*&stop")
gdb.execute("run", to_string=True)
answer = {"frames": frames(), "layouts": {name: layout(name) for name in request["types"]}}
gdb.execute("generate-core-file " + request["core"], to_string=True)
answer["expressions"] = {}
for function, expressions in request["expressions"].items():
    frame = gdb.newest_frame()
    while frame.name() != function:
        frame = frame.older()
    frame.select()
    answer["expressions"][function] = evaluate(expressions)
gdb.execute("kill", to_string=True)
print("ORACLE" + json.dumps(answer))
