# Addresses and ranges. An address is the list of its bytes: 4 for IPv4, 16 for IPv6. What cannot be read is null.

def bytes4:
  split(".")
  | if length == 4 and all(.[]; test("^(0|[1-9][0-9]{0,2})$")) then map(tonumber) else null end
  | if . != null and all(.[]; . <= 255) then . else null end;

def hex: ascii_downcase | explode | reduce .[] as $c (0; . * 16 + (if $c >= 97 then $c - 87 else $c - 48 end));

# The bytes of `a:b:c`, whose last group may be an IPv4 address.
def groups:
  if . == "" then []
  else
    split(":")
    | map(
        if test("\\.") then bytes4
        elif test("^[0-9a-fA-F]{1,4}$") then hex | [(. / 256 | floor), . % 256]
        else null
        end
      )
    | if any(.[]; . == null) then null else add end
  end;

def bytes6:
  if test("::") then
    split("::")
    | if length != 2 then null else map(groups) end
    | if . == null or any(.[]; . == null) then null
      else
        (16 - (.[0] | length) - (.[1] | length)) as $zeros
        | if $zeros < 2 then null else .[0] + [range($zeros) | 0] + .[1] end
      end
  else
    groups | if . != null and length == 16 then . else null end
  end;

def address: if test(":") then bytes6 else bytes4 end;

# `10.0.0.0/8` as {bytes, prefix}.
def range_of:
  split("/")
  | if length != 2 or (.[1] | test("^[0-9]{1,3}$") | not) then null
    else
      (.[0] | address) as $bytes
      | (.[1] | tonumber) as $prefix
      | if $bytes == null or $prefix > ($bytes | length) * 8 then null else {bytes: $bytes, prefix: $prefix} end
    end;

def single: address | if . == null then null else {bytes: ., prefix: (length * 8)} end;

# The first so many bits of a list of bytes.
def bits($count):
  [ range(0; length) as $i
    | ([[$count - 8 * $i, 8] | min, 0] | max) as $kept
    | .[$i] / ([1, 2, 4, 8, 16, 32, 64, 128, 256][8 - $kept])
    | floor ];

def holds_range($outer; $inner):
  ($outer.bytes | length) == ($inner.bytes | length)
  and $outer.prefix <= $inner.prefix
  and ($outer.bytes | bits($outer.prefix)) == ($inner.bytes | bits($outer.prefix));

def overlap($a; $b): holds_range($a; $b) or holds_range($b; $a);
