// Runs before the page of the table is drawn: where its address asks for a plot, the place of that is kept free.
// @ts-check
"use strict";

document.documentElement.classList.toggle("plots", /[#&]x=[^&]/.test(location.hash) && /[#&]y=[^&]/.test(location.hash));
