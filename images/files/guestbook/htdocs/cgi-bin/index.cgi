#!/bin/sh
# GET / shows the entries; POST / with message=… (or GET /?message=…) adds one and shows them.
# /cgi-bin/index.cgi is what busybox httpd runs for "/".

address=${GUESTBOOK_REDIS:-redis:6379}

# Sends one command in redis' protocol (RESP) and prints the raw answer.
redis() {
  {
    printf '*%s\r\n' "$#"
    for word in "$@"; do
      printf '$%s\r\n%s\r\n' "$(printf '%s' "$word" | wc -c)" "$word"
    done
    printf '*1\r\n$4\r\nQUIT\r\n'
  } | nc -w 5 "${address%:*}" "${address#*:}"
}

escape_html() {
  sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

form=$QUERY_STRING
if [ "$REQUEST_METHOD" = POST ] && [ -n "$CONTENT_LENGTH" ]; then form=$(head -c "$CONTENT_LENGTH"); fi
message=
case "$form" in
message=*) message=$(httpd -d "$(printf '%s' "${form#message=}" | sed 's/&.*//; s/+/ /g')" | tr -d '\r\n') ;;
esac

failed=
if [ -n "$message" ]; then
  redis RPUSH guestbook "$message" | grep -q '^:' || failed=yes
fi
entries=$(redis LRANGE guestbook 0 -1 | tr -d '\r')
case "$entries" in
'*'*) ;;
*) failed=yes ;;
esac

if [ -n "$failed" ]; then
  printf 'Status: 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\nredis at %s does not answer\n' "$address"
  exit 0
fi
printf 'Content-Type: text/html\r\n\r\n'
echo '<!doctype html><title>Guestbook</title><h1>Guestbook</h1>'
echo '<form method="post" action="/"><input name="message" autofocus> <button>Sign</button></form><ul>'
# An array's elements: a line with the length, then the entry; the last line answers QUIT.
printf '%s\n' "$entries" | awk 'next_is_entry { print; next_is_entry = 0; next } /^\$/ { next_is_entry = 1 }' |
  escape_html | sed 's/.*/<li>&<\/li>/'
printf '</ul><p>served by %s</p>\n' "$(hostname)"
