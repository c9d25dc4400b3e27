"""The words that the sample databases are made of: names, companies, titles, number ranges, junk.

Data only. Everything here is invented or generic: common given names and surnames (each person is a
random pairing), made-up company words, mail domains under `.example`, and dialling prefixes whose
remaining digits are random.

A name is written `Main/Variant/Variant=native script`, its variants being other spellings that the
same person is found under; `_` stands for a space. Names are in order of frequency.
"""

from __future__ import annotations

from typing import NamedTuple


class Culture(NamedTuple):
    """Where names come from together. `stems` × `ends` make the long tail of rarer names."""

    men: str
    women: str
    surnames: str
    stems: str = ""
    ends: str = ""
    surname_stems: str = ""
    surname_ends: str = ""
    initials: bool = False  # the second name is mostly written as an initial (South India)
    family_first: bool = False  # the family name comes first (East Asia)
    native: float = 0.022  # share of its people whose rows are mostly in the native script


_INDIAN_STEMS = (
    "Raj Jay Vij Sur Nar Mah Deep Dev Har Jag Kam Kesh Lal Man Mad Nag Om Parm Prem Roop Sat Shiv Tej "
    "Uday Ved Yash Gaj Bhuv Chandr Dhan Gir Hit Ind Kunj Laks Mukt Naren Param Rat Sam Tar Vir Yog"
)
_INDIAN_ENDS = (
    "esh endra inder it an ay al lal pal dev raj nath deep jeet veer want mohan kant dhar eshwar ita ini"
)
_SOUTH_STEMS = (
    "Venkat Rama Krishna Siva Lakshmi Sundar Muthu Bala Gopala Hari Jaya Raja Vasu Chandra Anantha Subra "
    "Kuppu Pala Guru Mani Madhava Surya Sesha Veera Naga Sathya Nanda Thiru Velu Ganga"
)
_SOUTH_ENDS = (
    "raman krishnan swamy murthy rao nathan mani appa nayagam sekhar kumar raj babu lingam samy prasad gopal "
    "das priya devi rani valli"
)

CULTURES: dict[str, Culture] = {
    "north": Culture(
        men="Rajesh=राजेश Amit=अमित Suresh=सुरेश Sanjay/Sanjai=संजय Manoj=मनोज Vijay/Vijai=विजय "
        "Ramesh=रमेश Anil=अनिल Sunil/Suneel=सुनील Rakesh=राकेश Ashok/Asok=अशोक Deepak/Dipak=दीपक "
        "Vikas/Vikash=विकास Rahul=राहुल Ajay=अजय Pankaj=पंकज Mukesh=मुकेश Dinesh=दिनेश Santosh=संतोष "
        "Manish/Maneesh=मनीष Vinod=विनोद Pradeep/Pradip=प्रदीप Arun=अरुण Sandeep/Sandip=संदीप "
        "Naveen/Navin=नवीन Rohit=रोहित Nitin=नितिन Yogesh=योगेश Gaurav/Gourav=गौरव Ravi=रवि "
        "Alok/Aloke=आलोक Vivek=विवेक Ankit=अंकित Abhishek=अभिषेक Saurabh/Sourabh=सौरभ Harish=हरीश "
        "Mahesh=महेश Jitendra/Jitender=जितेन्द्र Rajendra/Rajender=राजेन्द्र Narendra/Narender=नरेन्द्र "
        "Hemant=हेमंत Mohit=मोहित Kapil=कपिल Lalit=ललित Umesh=उमेश Brijesh=बृजेश Anurag=अनुराग "
        "Shailesh/Sailesh=शैलेश Tarun=तरुण",
        women="Sunita/Suneeta=सुनीता Priya=प्रिया Anita=अनीता Neha=नेहा Pooja/Puja=पूजा Kavita=कविता "
        "Rekha=रेखा Seema/Sima=सीमा Geeta/Gita=गीता Meena/Mina=मीना Asha=आशा Ritu=ऋतु Shweta/Sweta=श्वेता "
        "Nisha=निशा Jyoti=ज्योति Swati=स्वाति Anjali=अंजलि Aarti/Arti=आरती Manisha=मनीषा Vandana=वंदना",
        surnames="Kumar=कुमार Sharma=शर्मा Singh=सिंह Gupta=गुप्ता Verma/Varma=वर्मा "
        "Agarwal/Aggarwal/Agrawal=अग्रवाल Yadav=यादव Mishra/Misra=मिश्रा Jain=जैन Pandey/Pande=पांडे "
        "Tiwari/Tewari=तिवारी Srivastava/Shrivastava=श्रीवास्तव Chauhan/Chouhan=चौहान Saxena=सक्सेना "
        "Goel/Goyal=गोयल Bansal=बंसल Mittal=मित्तल Dubey/Dube=दुबे Tripathi=त्रिपाठी Shukla=शुक्ला "
        "Rathore/Rathor=राठौर Thakur=ठाकुर Chaudhary/Choudhary/Chowdhury=चौधरी Malhotra=मल्होत्रा "
        "Kapoor/Kapur=कपूर Khanna=खन्ना Bhatia=भाटिया Arora=अरोड़ा Chopra=चोपड़ा Joshi=जोशी Garg=गर्ग "
        "Prasad=प्रसाद Sinha=सिन्हा Rawat=रावत Negi=नेगी Bisht=बिष्ट Dixit/Dikshit=दीक्षित Kashyap=कश्यप "
        "Rastogi=रस्तोगी Maurya=मौर्य Tyagi=त्यागी Solanki=सोलंकी",
        stems=_INDIAN_STEMS,
        ends=_INDIAN_ENDS,
        surname_stems="Bhar Khan Jhun Sing Pod Kej Birl Som Lad Mor Gad Tod Ruh Bag Das Nath Pat Kal Sur "
        "Bhad Dhan",
        surname_ends="wal wala iya ani puri pati ania oria auria",
    ),
    "punjab": Culture(
        men="Gurpreet Harpreet Manpreet Jaspreet Sukhwinder Balwinder Kuldeep/Kuldip Amarjeet/Amarjit "
        "Harjit/Harjeet Paramjit/Paramjeet Gurmeet/Gurmit Ranjit/Ranjeet Baljit/Baljeet Jagdish Satnam "
        "Kulwant Jaswant Surjit Daljit",
        women="Simran Navjot Rajwinder Amandeep Harleen Jasleen Kiran Mandeep Ramandeep",
        surnames="Singh Kaur Gill Sandhu Sidhu Dhillon/Dhillan Grewal Bajwa Brar Randhawa Bedi "
        "Ahluwalia/Walia Sodhi Anand Dhaliwal Sekhon Chahal Virk Bhullar Toor Kang Mann",
    ),
    "gujarat": Culture(
        men="Jignesh Hitesh Bhavesh Nilesh/Neelesh Kalpesh Ketan Jayesh Paresh Mitesh Chirag Dhaval "
        "Hardik Vipul Bharat Kantilal Ramanlal Bhupendra Harshad Pravin/Praveen Mehul Alpesh Dharmesh "
        "Rajnikant Chandrakant Vishal Nikunj",
        women="Hetal Kinjal Bhavna Falguni Jalpa Krupa Daksha Varsha Hansa Ila Komal Mital",
        surnames="Patel Shah Mehta Desai Parikh Modi Trivedi Bhatt/Bhat Joshi Dave Pandya Parmar Solanki "
        "Gandhi Vyas Thakkar Panchal Prajapati Rathod Chavda Gohil Jadeja Makwana Soni Doshi Kothari "
        "Sanghvi/Sanghavi Zaveri/Jhaveri",
        stems=_INDIAN_STEMS,
        ends=_INDIAN_ENDS,
        surname_stems="Kap Sukh Mot Nag Bhav Dhor Kach Sur Rajp Vad Mank Lakh Gad Bor Pat Lim Dob Fald",
        surname_ends="adia aria ani wala eja atra iya echa",
    ),
    "marathi": Culture(
        men="Sachin=सचिन Ganesh=गणेश Prashant=प्रशांत Sandeep/Sandip=संदीप Nilesh=निलेश Mahesh=महेश "
        "Santosh=संतोष Sagar=सागर Vishal=विशाल Amol=अमोल Swapnil=स्वप्निल Shrikant/Srikant=श्रीकांत "
        "Milind=मिलिंद Avinash=अविनाश Kiran=किरण Shekhar/Sekhar=शेखर Pravin/Praveen=प्रवीण Bhushan=भूषण "
        "Tushar=तुषार Dattatray/Dattatreya=दत्तात्रय Vinayak=विनायक",
        women="Sneha=स्नेहा Ashwini/Aswini=अश्विनी Vaishali=वैशाली Snehal=स्नेहल Manasi/Mansi=मानसी "
        "Pallavi=पल्लवी Supriya=सुप्रिया Madhuri=माधुरी Shubhangi=शुभांगी",
        surnames="Patil=पाटील Deshmukh=देशमुख Kulkarni=कुलकर्णी Joshi=जोशी Shinde=शिंदे "
        "Jadhav/Jadhao=जाधव Pawar/Powar=पवार More=मोरे Chavan=चव्हाण Gaikwad/Gaekwad=गायकवाड Kale=काळे "
        "Kadam=कदम Sawant/Savant=सावंत Deshpande=देशपांडे Bhosale/Bhosle=भोसले Mane=माने Thorat=थोरात "
        "Naik/Nayak=नाईक Apte=आपटे Gokhale=गोखले Phadke=फडके Sathe=साठे",
        stems=_INDIAN_STEMS,
        ends=_INDIAN_ENDS,
        surname_stems="Nag Chandor Borg Ver Parad Kor Mangr Dab Shiv Pend Tal Bandiv Var Kolt Mast Sor "
        "Pal Nim Bel Wad",
        surname_ends="kar ekar ulkar gaonkar walkar are ade askar",
    ),
    "bengal": Culture(
        men="Subhash/Subhas Sourav/Saurav Debashish/Debasis Partha Amitava/Amitabha Soumya "
        "Abhijit/Abhijeet Arindam Tapas Swapan Biswajit Sanjib/Sanjeev Indranil Anirban Prasenjit "
        "Subrata Dipankar Kaushik/Koushik Sujit Tanmoy",
        women="Moumita Sharmistha Ananya Paromita Debjani Rituparna Sudeshna Mitali Piyali Sanchita",
        surnames="Das/Dass Ghosh/Ghose Banerjee/Bandyopadhyay Mukherjee/Mukhopadhyay "
        "Chatterjee/Chattopadhyay Bose/Basu Roy/Ray Sen Dutta/Datta Chakraborty/Chakrabarti/Chakravarty "
        "Mondal/Mandal Saha Sarkar/Sircar Ganguly/Gangopadhyay Paul/Pal Biswas Majumdar/Mazumdar Nandi "
        "Bhattacharya/Bhattacharjee Dey/De Kundu Mitra Guha Sengupta",
        stems=_INDIAN_STEMS,
        ends=_INDIAN_ENDS,
    ),
    "tamil": Culture(
        men="Murugan=முருகன் Senthil=செந்தில் Karthik/Karthick=கார்த்திக் Saravanan=சரவணன் Ramesh=ரமேஷ் "
        "Suresh=சுரேஷ் Prakash=பிரகாஷ் Rajkumar=ராஜ்குமார் Selvam=செல்வம் Anand/Anandh=ஆனந்த் "
        "Vignesh/Vicknesh=விக்னேஷ் Ganesan=கணேசன் Manikandan=மணிகண்டன் Kannan=கண்ணன் Balaji=பாலாஜி "
        "Sivakumar=சிவகுமார் Sundaram=சுந்தரம் Arumugam=ஆறுமுகம் "
        "Subramanian/Subramaniam/Subramanyan=சுப்பிரமணியன் Palani=பழனி Elango/Ilango=இளங்கோ "
        "Dhanasekar=தனசேகர் Natarajan=நடராஜன் Gopinath=கோபிநாத் Venkatesan=வெங்கடேசன் Baskar/Bhaskar=பாஸ்கர்",
        women="Lakshmi/Laxmi=லட்சுமி Revathi=ரேவதி Kavitha=கவிதா Meenakshi=மீனாட்சி Vasanthi=வசந்தி "
        "Malathi=மாலதி Gayathri=காயத்ரி Uma=உமா Sangeetha=சங்கீதா Deepa=தீபா Kalaiselvi=கலைச்செல்வி",
        surnames="Krishnan=கிருஷ்ணன் Murugan=முருகன் Raman=ராமன் Subramanian/Subramaniam=சுப்பிரமணியன் "
        "Natarajan=நடராஜன் Rajan=ராஜன் Ganesan=கணேசன் Velu=வேலு Sundaram=சுந்தரம் Perumal=பெருமாள் "
        "Chandran=சந்திரன் Mani=மணி Govindan=கோவிந்தன் Ramasamy/Ramaswamy=ராமசாமி "
        "Palanisamy/Palaniswamy=பழனிசாமி Iyer/Aiyar=ஐயர் Pillai=பிள்ளை Nadar=நாடார் Mudaliar=முதலியார்",
        stems=_SOUTH_STEMS,
        ends=_SOUTH_ENDS,
        surname_stems=_SOUTH_STEMS,
        surname_ends=_SOUTH_ENDS,
        initials=True,
    ),
    "telugu": Culture(
        men="Srinivas/Sreenivas/Shrinivas=శ్రీనివాస్ Venkatesh/Venkatesch=వెంకటేష్ Ravi=రవి Ramesh=రమేష్ "
        "Suresh=సురేష్ Krishna=కృష్ణ Rambabu=రాంబాబు Prasad=ప్రసాద్ Naresh=నరేష్ Mahesh=మహేష్ "
        "Satish/Sathish=సతీష్ Kiran=కిరణ్ Nagaraju=నాగరాజు Anjaneyulu=ఆంజనేయులు "
        "Chandrasekhar/Chandrashekar=చంద్రశేఖర్ Raghu=రఘు Phani=ఫణి Vamsi/Vamshi=వంశీ "
        "Sridhar/Sreedhar=శ్రీధర్ Madhu=మధు Pavan/Pawan=పవన్ Lokesh=లోకేష్",
        women="Padma=పద్మ Lakshmi/Laxmi=లక్ష్మి Sravani/Shravani=శ్రావణి Swapna=స్వప్న Madhavi=మాధవి "
        "Anusha=అనూష Sirisha/Shirisha=శిరీష Vani=వాణి Sailaja/Shailaja=శైలజ",
        surnames="Reddy/Reddi=రెడ్డి Rao/Row=రావు Naidu/Nayudu=నాయుడు Kumar=కుమార్ Raju=రాజు "
        "Chowdary/Choudary=చౌదరి Prasad=ప్రసాద్ Varma/Verma=వర్మ Sastry/Shastri=శాస్త్రి "
        "Murthy/Murty/Moorthy=మూర్తి Babu=బాబు Goud/Gowd=గౌడ్ Sharma/Sarma=శర్మ Yadav=యాదవ్",
        stems=_SOUTH_STEMS,
        ends=_SOUTH_ENDS,
        surname_stems="Kond Boll Yel Gunt Mand Chint Adus Kan Pot Vem Nall Tad Dag Mad Pal Kom Gad Bod "
        "Tum Kur",
        surname_ends="apalli uri eti ala umilli akonda aneni uguri ineni avaram",
        initials=True,
    ),
    "kannada": Culture(
        men="Manjunath/Manjunatha Nagaraj/Nagaraja Basavaraj/Basavaraja Shivakumar/Sivakumar Prakash "
        "Ravi Girish/Gireesh Mahesh Chandrashekar/Chandrasekhar Lokesh Raghavendra Umesh "
        "Jagadish/Jagadeesh Puneeth/Punith Siddaraju Harsha",
        women="Shilpa Roopa/Rupa Bhagya Savitha/Savita Asha Pushpa Manjula Nandini Chaitra",
        surnames="Gowda/Gouda Shetty/Shetti Rao Hegde/Hegade Bhat/Bhatt Kumar Naik/Nayak Murthy/Murthi "
        "Patil Kulkarni Swamy/Swami Pai Kamath Prabhu Acharya Urs Poojary/Pujari",
        stems=_SOUTH_STEMS,
        ends=_SOUTH_ENDS,
        surname_stems="Hosa Kere Halli Bidar Tumk Kad Mall Belu Chik Dod Hiri Kal Nel Shim",
        surname_ends="mane appa gere anna ur iah kop",
        initials=True,
    ),
    "kerala": Culture(
        men="Rajeev/Rajiv Biju Shaji Anoop/Anup Sreejith/Srijith Vinod Pradeep Sajan Jijo Unnikrishnan "
        "Jayan Suresh Manoj Sunil Sivan Abhilash Renjith/Ranjith Dileep/Dilip Santhosh/Santosh "
        "Nithin/Nitin",
        women="Sreelekha/Srilekha Bindu Sindhu Remya/Ramya Divya Resmi/Reshmi Ambika Sheeba Jisha",
        surnames="Nair/Nayar Menon Pillai Kurup Varghese/Verghese Thomas George Mathew/Mathews "
        "Kurian/Kurien Joseph Nambiar Panicker/Panikkar Varma Warrier/Warier Jacob Philip Cherian Chacko "
        "Krishnan Namboothiri/Namboodiri",
        stems=_SOUTH_STEMS,
        ends=_SOUTH_ENDS,
        initials=True,
    ),
    "muslim": Culture(
        men="Mohammed/Mohammad/Mohd/Md/Muhammad=محمد Imran=عمران Abdul=عبدل Salman=سلمان Irfan=عرفان "
        "Asif=آصف Shaikh/Sheikh=شيخ Ahmed/Ahmad=أحمد Arif=عارف Javed/Jawed=جاويد Nadeem/Nadim=نديم "
        "Rizwan=رضوان Faisal/Faizal=فيصل Aslam=أسلم Syed/Sayed/Saiyed=سيد Wasim/Waseem=وسيم "
        "Feroz/Firoz=فيروز Yusuf/Yousuf=يوسف Ibrahim/Ebrahim=إبراهيم Farooq/Faruk=فاروق",
        women="Fatima/Fathima=فاطمة Ayesha/Aisha=عائشة Shabana=شبانة Nasreen/Nasrin=نسرين "
        "Zainab/Zaynab=زينب Rukhsana=رخسانة Yasmin/Yasmeen=ياسمين Farzana=فرزانة",
        surnames="Khan=خان Ahmed/Ahmad=أحمد Ali=علي Shaikh/Sheikh/Shaik=شيخ Ansari=أنصاري "
        "Siddiqui/Siddiqi/Siddique=صديقي Hussain/Husain/Hussein=حسين Qureshi/Quraishi=قريشي Pathan=پٹھان "
        "Mirza=ميرزا Rahman/Rehman=رحمن Malik/Mallik=مالك Patel Memon=ميمن Baig/Beg=بيگ "
        "Farooqui/Farooqi=فاروقي Khatri Saifi Alam=عالم Haque/Haq=حق Shah=شاه",
        stems="Abdul_R Abdul_K Abdul_S Shams Nur Zia Imtiy Ashf Mushta Iqb Sar Ghul Muz Nas Sha Zah Ham "
        "Tan Faz",
        ends="ahim areem alam uddin az aq al war am affar ir hid veer il eed",
        native=0.03,
    ),
    "christian": Culture(
        men="John Joseph Thomas Anthony/Antony Francis Peter Paul David Michael Sebastian/Sebestian "
        "Xavier/Savio Dominic Alwyn Clarence Glen/Glenn Melvin Nelson Robert Lawrence/Laurence Rodney",
        women="Mary Maria Rita Elizabeth Theresa/Teresa Cynthia Sharon Jennifer Lourdes Veronica",
        surnames="D'Souza/Dsouza/D_Souza Fernandes/Fernandez Pereira Rodrigues/Rodrigues "
        "D'Silva/Dsilva/De_Silva Pinto Lobo Mascarenhas D'Costa/Dcosta Menezes/Menezis Dias Gomes "
        "Almeida Noronha Saldanha D'Mello/Dmello Braganza/Braganca Coutinho Rebello",
    ),
    "english": Culture(
        men="James John Robert Michael William/Will David Richard Thomas/Tom Charles Daniel/Dan "
        "Matthew/Matt Andrew/Andy Christopher/Chris Mark Paul Steven/Stephen Kevin Brian/Bryan George "
        "Edward/Ed Jonathan/Jon Nicholas/Nick Anthony/Tony Geoffrey/Jeffrey Alan/Allan/Allen Sean/Shaun "
        "Neil/Neal Connor/Conor",
        women="Mary Jennifer/Jenny Elizabeth/Liz Sarah/Sara Emma Catherine/Katherine/Kathryn Susan/Sue "
        "Margaret/Maggie Rebecca Laura Anne/Ann Helen Rachel Claire/Clare Alison/Allison Nicola",
        surnames="Smith/Smyth Jones Williams Brown/Browne Taylor Davies/Davis Wilson Evans Thomas "
        "Johnson/Johnston Roberts Walker Wright Robinson Thompson/Thomson White Hughes Edwards "
        "Green/Greene Hall Wood Harris Clark/Clarke Lewis O'Brien/OBrien McDonald/MacDonald McKay/Mackay "
        "Campbell Murphy Stewart/Stuart O'Connor/OConnor Phillips/Philips Reid/Reed Nguyen Garcia",
        surname_stems="Ash Brad Cal Dun East Fair Glen Hart King Lang Mar Nor Oak Pem Rad Stan Thorn "
        "Wake West Whit Hal Bent",
        surname_ends="ford ley ton well worth man son by field wood wick ham stead",
    ),
    "german": Culture(
        men="Thomas Michael Andreas Stefan/Stephan Christian Markus/Marcus Jürgen/Juergen/Jurgen "
        "Klaus/Claus Wolfgang Uwe Jörg/Joerg/Jorg Ralf/Ralph Günther/Guenther/Gunther Matthias/Mathias "
        "Bernd Frank Philipp/Philip Björn/Bjoern/Bjorn Tobias Sebastian Karl/Carl",
        women="Sabine Petra Claudia Susanne Monika Birgit Ursula Käthe/Kaethe Anja Katrin/Kathrin Jutta "
        "Heike Ulrike Silke",
        surnames="Müller/Mueller/Muller Schmidt/Schmitt Schneider Fischer Weber Meyer/Meier/Maier Wagner "
        "Becker Schulz/Schultz Hoffmann/Hofmann Schäfer/Schaefer/Schafer Koch Bauer Richter Klein "
        "Wolf/Wolff Schröder/Schroeder/Schroder Neumann Schwarz Zimmermann Krüger/Krueger/Kruger "
        "Hartmann Köhler/Koehler/Kohler Jäger/Jaeger Weiß/Weiss Groß/Gross von_Behren",
        surname_stems="Stein Hof Ober Nieder Alten Neu Kirch Wald Feld Berg Rosen Linden Eichen Bram Holz",
        surname_ends="mann hauser berg bauer meier hofer kamp felder inger brandt",
    ),
    "french": Culture(
        men="Jean Pierre Michel Philippe/Philipe Nicolas/Nicholas Laurent Stéphane/Stephane "
        "François/Francois Jérôme/Jerome Frédéric/Frederic Sébastien/Sebastien Olivier Christophe "
        "Éric/Eric Thierry Jean-Luc/Jean_Luc Benoît/Benoit Rémi/Remy",
        women="Marie Nathalie Isabelle Sylvie Hélène/Helene Céline/Celine Valérie/Valerie "
        "Aurélie/Aurelie Anne-Marie/Anne_Marie Zoé/Zoe Chloé/Chloe",
        surnames="Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy/Le_Roy Moreau Simon "
        "Laurent Lefèvre/Lefevre/Lefebvre Michel Garcia Bertrand Roux Fournier Morel Girard Mercier "
        "Dupont/Dupond Lambert Bonnet François/Francois Muñoz de_la_Tour Rivière/Riviere",
        surname_stems="Beau Mont Clair Bel Fon Haut Roch Val Cham Gran Blan Ger Sau Mal",
        surname_ends="mont val champ court ville tier nier don gnac vieux",
    ),
    "spanish": Culture(
        men="José/Jose Antonio Manuel Francisco/Paco Juan David Javier/Xavier Jesús/Jesus Daniel Carlos "
        "Miguel Rafael Pedro Ángel/Angel Alejandro Fernando Sergio Andrés/Andres Luis/Luís Ramón/Ramon "
        "Joaquín/Joaquin",
        women="María/Maria Carmen Ana Isabel Laura Cristina Marta Lucía/Lucia Elena Pilar Sofía/Sofia "
        "Inés/Ines Mónica/Monica Raquel",
        surnames="García/Garcia González/Gonzalez/Gonzales Rodríguez/Rodriguez Fernández/Fernandez "
        "López/Lopez Martínez/Martinez Sánchez/Sanchez Pérez/Perez Gómez/Gomez Martín/Martin "
        "Jiménez/Jimenez Ruiz Hernández/Hernandez Díaz/Diaz Moreno Muñoz/Munoz Álvarez/Alvarez Romero "
        "Navarro Torres Domínguez/Dominguez Vázquez/Vazquez Ramos Gil Núñez/Nunez de_la_Cruz "
        "Ibáñez/Ibanez",
        surname_stems="Val Mont Cas Sal Ped Bel Agui Caball Es Her Lor Men Olm Sant",
        surname_ends="verde ero illo ares osa ano edo anza inos allar",
    ),
    "portuguese": Culture(
        men="João/Joao José/Jose António/Antonio Carlos Paulo Pedro Luís/Luis Rui Tiago/Thiago Ricardo "
        "Marcos Rafael Fábio/Fabio Gustavo André/Andre Sérgio/Sergio Vinícius/Vinicius",
        women="Maria Ana Juliana Fernanda Patrícia/Patricia Luísa/Luisa Márcia/Marcia Sónia/Sonia "
        "Cláudia/Claudia Conceição/Conceicao",
        surnames="Silva/da_Silva Santos/dos_Santos Ferreira Pereira Oliveira Costa/da_Costa Rodrigues "
        "Martins Souza/Sousa Fernandes Gonçalves/Goncalves Gomes Lopes Marques Alves Almeida Ribeiro "
        "Pinto Carvalho Teixeira Araújo/Araujo Simões/Simoes Magalhães/Magalhaes Conceição/Conceicao",
        surname_stems="Val Mont Cas Sal Bel Oliv Fer Lam Carv Mir Nog Pim",
        surname_ends="eira ares osa ano edo ense inho alho",
    ),
    "italian": Culture(
        men="Marco Andrea Giuseppe Giovanni/Gianni Luca Francesco Antonio Matteo Alessandro Roberto "
        "Stefano Paolo Niccolò/Niccolo/Nicolo Fabio",
        women="Maria Anna Giulia Chiara Francesca Elena Sara Valentina Paola Federica",
        surnames="Rossi/Rosso Russo Ferrari/Ferrara Esposito Bianchi/Bianco Romano Colombo Ricci Marino "
        "Greco Bruno Gallo Conti De_Luca/Deluca Costa Giordano Mancini Rizzo Lombardi Moretti "
        "D'Angelo/Dangelo Caputo Santoro",
        surname_stems="Mont Cas Bel Pal Mar Fer Ross Bert Gal Carb Fior Tor",
        surname_ends="elli ini ucci etti one aro ardi olini",
    ),
    "northern": Culture(
        men="Lars Erik/Eric Anders Johan/Johann Jan Pieter/Peter Henrik/Hendrik Sven Magnus Søren/Soren "
        "Jörgen/Jorgen Ole Maarten/Martin Willem Dirk/Dirck Ruben Åke/Ake Håkan/Hakan Kees/Cees",
        women="Anna Ingrid Karin/Carin Sofia Elin Marieke Anneke Åsa/Asa Hanneke Kristin/Kirstin "
        "Linnéa/Linnea",
        surnames="Andersson/Anderson/Andersen Johansson/Johanson Karlsson/Carlsson Nilsson/Nielsen "
        "Eriksson/Ericsson Larsson/Larsen de_Jong/De_Jong Jansen/Janssen de_Vries/De_Vries "
        "van_den_Berg/Van_den_Berg/Vandenberg Bakker van_Dijk/Van_Dyk Visser Smit/Smits Sjöberg/Sjoberg "
        "Öberg/Oberg Lindström/Lindstrom Åkesson/Akesson Bergström/Bergstrom",
        surname_stems="Lind Berg Sand Ny Hol Dal Strand Ek Alm Gran Lund Nord Väst Öst",
        surname_ends="qvist ström man berg gren lund dahl stedt",
    ),
    "slavic": Culture(
        men="Piotr/Peter Krzysztof Andrzej Tomasz/Tomas Paweł/Pawel Michał/Michal Jan Łukasz/Lukasz "
        "Jiří/Jiri Pavel Tomáš/Tomas Marek Jakub Zdeněk/Zdenek Ondřej/Ondrej Václav/Vaclav",
        women="Anna Katarzyna Małgorzata/Malgorzata Agnieszka Barbara Ewa/Eva Jana Lucie Tereza/Teresa "
        "Hana/Hanna Kateřina/Katerina",
        surnames="Nowak/Novák/Novak Kowalski Wiśniewski/Wisniewski Wójcik/Wojcik Kamiński/Kaminski "
        "Lewandowski Zieliński/Zielinski Szymański/Szymanski Dvořák/Dvorak Svoboda Novotný/Novotny "
        "Černý/Cerny Procházka/Prochazka Kučera/Kucera Veselý/Vesely Horák/Horak Mazur Król/Krol",
        surname_stems="Dobr Kral Bor Lip Zel Mal Star Pol Wron Jab Gor Kos",
        surname_ends="owski ewski icki ák ek inski oń czyk",
    ),
    "russian": Culture(
        men="Alexander/Aleksandr/Alexandr=Александр Sergey/Sergei/Serguei=Сергей "
        "Dmitry/Dmitri/Dmitriy=Дмитрий Andrey/Andrei=Андрей Alexey/Aleksei/Alexei=Алексей "
        "Vladimir=Владимир Mikhail/Michail=Михаил Ivan=Иван Nikolay/Nikolai=Николай "
        "Evgeny/Yevgeny/Evgenii=Евгений Yuri/Yury/Iurii=Юрий Pavel=Павел Oleg=Олег Viktor/Victor=Виктор",
        women="Elena/Yelena=Елена Olga=Ольга Natalia/Natalya/Nataliya=Наталья Irina=Ирина "
        "Tatiana/Tatyana=Татьяна Svetlana=Светлана Ekaterina/Yekaterina=Екатерина "
        "Yulia/Julia/Iuliia=Юлия Anna=Анна",
        surnames="Ivanov=Иванов Smirnov=Смирнов Kuznetsov/Kuznecov=Кузнецов Popov=Попов "
        "Vasiliev/Vasilyev=Васильев Petrov=Петров Sokolov=Соколов Mikhailov/Mihailov=Михайлов "
        "Novikov=Новиков Fedorov/Fyodorov=Федоров Morozov=Морозов Volkov=Волков "
        "Alekseev/Alexeev=Алексеев Lebedev=Лебедев Semenov/Semyonov=Семенов Egorov/Yegorov=Егоров "
        "Shevchenko=Шевченко Bondarenko=Бондаренко Kovalenko=Коваленко Tkachenko=Ткаченко "
        "Kravchenko=Кравченко",
        surname_stems="Bel Gor Zim Bor Kal Lis Mar Nik Ort Pot Rod Sav Tar Ver",
        surname_ends="ov in enko insky chuk ev yuk akov",
        native=0.3,
    ),
    "greek": Culture(
        men="Georgios/Giorgos/George=Γεώργιος Dimitrios/Dimitris/Demetrios=Δημήτριος "
        "Ioannis/Yannis/Giannis=Ιωάννης Konstantinos/Kostas=Κωνσταντίνος "
        "Nikolaos/Nikos/Nicolaos=Νικόλαος Panagiotis/Panayiotis=Παναγιώτης Vasileios/Vasilis=Βασίλειος "
        "Christos/Hristos=Χρήστος Athanasios/Thanasis=Αθανάσιος",
        women="Maria=Μαρία Eleni/Helen=Ελένη Aikaterini/Katerina=Αικατερίνη Vasiliki=Βασιλική "
        "Sofia=Σοφία Anna=Άννα Georgia=Γεωργία",
        surnames="Papadopoulos=Παπαδόπουλος Papageorgiou=Παπαγεωργίου Oikonomou/Economou=Οικονόμου "
        "Papadakis=Παπαδάκης Ioannidis/Joannidis=Ιωαννίδης Georgiou=Γεωργίου "
        "Karagiannis/Karayannis=Καραγιάννης Vlachos/Vlahos=Βλάχος Makris=Μακρής "
        "Angelopoulos/Aggelopoulos=Αγγελόπουλος Dimitriou/Demetriou=Δημητρίου "
        "Nikolaidis/Nicolaidis=Νικολαΐδης Antoniou=Αντωνίου",
        native=0.3,
    ),
    "arabic": Culture(
        men="Mohammed/Mohamed/Muhammad/Mohd=محمد Ahmed/Ahmad=أحمد Ali=علي Omar/Umar=عمر "
        "Khalid/Khaled=خالد Abdullah/Abdulla=عبدالله Hassan/Hasan=حسن Youssef/Yousef/Yusuf=يوسف "
        "Ibrahim=إبراهيم Mahmoud/Mahmood=محمود Saeed/Said=سعيد Tariq/Tarek=طارق Sultan=سلطان Faisal=فيصل "
        "Mustafa/Mostafa=مصطفى Hamad=حمد Nasser/Nasir=ناصر",
        women="Fatima/Fatma=فاطمة Aisha/Aysha=عائشة Mariam/Maryam=مريم Noura/Nora=نورة Sara/Sarah=سارة "
        "Layla/Leila=ليلى Huda=هدى Amal=أمل",
        surnames="Al_Mansoori/Al-Mansouri/Almansoori=المنصوري Al_Hashimi/Al-Hashemi=الهاشمي "
        "Hassan/Hasan=حسن Ibrahim=إبراهيم El_Sayed/Elsayed=السيد Al_Qahtani/Alqahtani=القحطاني "
        "Al_Otaibi/Alotaibi=العتيبي Al_Harbi/Alharbi=الحربي Khalil=خليل Mahmoud=محمود Salem/Salim=سالم "
        "Al_Balushi/Al-Balushi=البلوشي Mansour/Mansoor=منصور Haddad=حداد Al_Kuwari/Alkuwari=الكواري "
        "Farouk/Farooq=فاروق Nasser=ناصر",
        native=0.25,
    ),
    "chinese": Culture(
        men="Wei=伟 Qiang=强 Lei=磊 Jun=军 Yong=勇 Jie=杰 Tao=涛 Ming=明 Chao=超 Hao=浩 "
        "Jianguo/Jian_Guo=建国 Zhiqiang/Zhi_Qiang=志强 Jianhua=建华 Xiaoming/Xiao_Ming=小明 "
        "Guoqiang=国强 Haibo=海波 Wenbin=文斌 Junjie=俊杰",
        women="Fang=芳 Na=娜 Xiuying=秀英 Min=敏 Jing=静 Li=丽 Yan=艳 Juan=娟 Xia=霞 Xiaoli/Xiao_Li=小丽 "
        "Meiling/Mei_Ling=美玲 Yuting=雨婷",
        surnames="Wang/Wong=王 Li/Lee=李 Zhang/Chang=张 Liu/Lau=刘 Chen/Chan=陈 Yang=杨 Huang=黄 "
        "Zhao/Chao=赵 Wu/Ng=吴 Zhou/Chow=周 Xu/Hsu=徐 Sun=孙 Ma=马 Zhu=朱 Hu=胡 Guo/Kuo=郭 He=何 "
        "Lin/Lim=林 Gao=高 Luo=罗 Zheng/Cheng=郑 Liang=梁 Xie=谢 Tang=唐",
        stems="Jian Zhi Guo Wen Xiao Hai Yong Jun Ming Hong Chun Dong Li Shu Yu Zi",
        ends="hua ping feng bin long liang cheng lin yuan hui jun ying",
        family_first=True,
        native=0.3,
    ),
    "eastern": Culture(
        men="Hiroshi Takashi Kenji Satoshi Kazuo Makoto Min-jun/Minjun/Min_Jun Seo-jun/Seojun "
        "Ji-hoon/Jihoon Young-ho/Youngho Sung-min/Sungmin Kenta Yuki/Yuuki",
        women="Yuko/Yuuko Keiko Akiko Naomi Ji-woo/Jiwoo Seo-yeon/Seoyeon Min-ji/Minji Haruka Yoko/Youko",
        surnames="Sato/Satoh Suzuki Takahashi Tanaka Watanabe Ito/Itoh Yamamoto Nakamura Kobayashi "
        "Kato/Katoh Kim Lee/Yi/Rhee Park/Pak Choi/Choe Jung/Jeong/Chung Kang Cho/Jo Yoon/Yun Ono/Ohno "
        "Saito/Saitoh",
        surname_stems="Yama Naka Kawa Mura Taka Matsu Oka Fuji Kita Nishi Haya Mori",
        surname_ends="da moto mura gawa shima saki hara guchi bayashi",
    ),
    "malay": Culture(
        men="Ahmad/Ahmed Muhammad/Mohd/Mohamad Budi Agus Azman Hafiz/Hafidz Faizal/Faisal Rizal Joko Eko "
        "Dedi/Dedy Rudi/Rudy Ismail Zulkifli",
        women="Siti/Sitti Nur Dewi Aminah/Amina Sri Noraini Rina Wati Fatimah/Fatima Nurul",
        surnames="Abdullah Rahman/Abdul_Rahman Ismail Hassan Ibrahim Wijaya/Widjaja Santoso/Santosa "
        "Susanto Setiawan Hidayat Kusuma Halim Salleh/Saleh Othman/Usman Yusof/Yusuf Suharto/Soeharto "
        "Gunawan",
        surname_stems="Wira Har Sur Kus Adi Pra Nata Purna Sas",
        surname_ends="wan yanto nugroho tama dinata jaya kusuma",
    ),
    "turkish": Culture(
        men="Mehmet Mustafa Ahmet/Ahmed Ali Hüseyin/Huseyin Hasan İbrahim/Ibrahim Murat/Murad Ömer/Omer "
        "Yusuf Emre Gökhan/Gokhan Çağlar/Caglar Oğuz/Oguz",
        women="Fatma Ayşe/Ayse Emine Zeynep Elif Gül/Gul Şule/Sule Özlem/Ozlem Esra",
        surnames="Yılmaz/Yilmaz Kaya Demir Çelik/Celik Şahin/Sahin Yıldız/Yildiz Yıldırım/Yildirim "
        "Öztürk/Ozturk Aydın/Aydin Özdemir/Ozdemir Arslan/Aslan Doğan/Dogan Kılıç/Kilic Koç/Koc "
        "Güneş/Gunes",
        surname_stems="Ak Kara Öz Demir Er Gök Tek Bay Yal",
        surname_ends="taş can oğlu bulut kan kurt tekin çı",
    ),
    "african": Culture(
        men="Chukwuemeka/Emeka Oluwaseun/Seun Thabo Sipho Kipchoge John David Samuel Emmanuel "
        "Tunde/Babatunde Kwame Peter Joseph Brian Musa Ibrahim",
        women="Ngozi Amara/Amarachi Wanjiru Achieng Thandiwe/Thandi Grace Mercy Faith Blessing "
        "Funmilayo/Funmi",
        surnames="Okafor/Okafo Adeyemi Okonkwo Balogun Nkosi Dlamini Mokoena Kamau Otieno Mwangi Ochieng "
        "Njoroge Ndlovu van_der_Merwe/Van_Der_Merwe Botha Naidoo/Naidu Pillay/Pillai Eze Bello "
        "Abubakar/Abubakr",
        surname_stems="Ade Olu Oko Nwa Mba Ki Mu Wa Ndi",
        surname_ends="bayo kunle sanya chukwu mani riuki thoni lovu nga",
    ),
}


# One line a city: share, dialling code, cultures of the people who work there. Its landlines
# begin with 2 or 4.
CITIES = """
17 22  marathi:32,gujarat:22,north:22,muslim:11,christian:6,tamil:4,kerala:3
9  44  tamil:76,telugu:9,muslim:6,christian:3,kerala:4,north:2
9  40  telugu:66,muslim:18,north:8,marathi:3,tamil:3,kannada:2
11 80  kannada:42,tamil:18,telugu:16,north:9,muslim:7,kerala:6,christian:2
7  33  bengal:66,north:20,muslim:14
6  20  marathi:66,north:16,gujarat:7,muslim:6,christian:2,kerala:3
7  79  gujarat:80,north:11,muslim:9
2  161 punjab:74,north:26
3  261 gujarat:74,marathi:8,north:9,muslim:9
3  422 tamil:84,kerala:10,muslim:6
2  484 kerala:78,muslim:10,tamil:8,christian:4
2  712 marathi:62,north:30,muslim:8
2  891 telugu:92,muslim:4,north:4
15 11  north:66,punjab:16,muslim:10,bengal:3,tamil:2,kerala:3
3  141 north:80,punjab:5,muslim:11,gujarat:2,bengal:2
3  522 north:84,muslim:16
2  731 north:80,gujarat:8,marathi:7,muslim:5
4  120 north:84,punjab:6,muslim:8,bengal:2
3  124 north:70,punjab:22,muslim:5,bengal:3
1  755 north:84,muslim:16
"""

INDIA_CODE = "91"
INDIA_MOBILE = "98,99,97,96,94,93,91,90,70,84,72/8"

# One line a country: share, country code, prefixes of mobiles / digits that follow, the same of desk
# telephones, cultures; and after a bar, its companies' legal forms. Behind such a prefix any digits make a
# number that phonenumbers calls valid.
COUNTRIES = """
14 971 50,55/7 22/6 arabic:38,kerala:14,north:14,muslim:22,tamil:6,english:6 | LLC|L.L.C.|FZE|FZCO
7  966 50,55/7 11/7 arabic:50,muslim:24,kerala:14,north:12 | LLC|Co. Ltd.|Est.
3  974 55,33/6 44/6 arabic:45,muslim:22,kerala:19,tamil:14 | W.L.L.|WLL|LLC
3  968 92,95/6 23/6 arabic:50,muslim:22,kerala:18,gujarat:10 | LLC|L.L.C.
3  20  100,101/7 2/8 arabic:1 | S.A.E.|LLC
10 1   2012,2013,2125,4156/6 2015/6 english:70,spanish:14,north:8,chinese:5,telugu:3 | Inc.|Inc|LLC|Corp.
4  1   4164,4163,6045,6047/6 5062/6 english:66,french:18,punjab:9,chinese:7 | Inc.|Ltd.
9  44  7400,7912/6 1212/6 english:82,gujarat:6,muslim:7,punjab:5 | Ltd|Ltd.|Limited|PLC|LLP
8  49  160,171/7 30/6 german:86,turkish:9,slavic:5 | GmbH|AG|GmbH & Co. KG|KG
3  41  79,78/7 21/7 german:60,french:25,italian:15 | AG|SA|GmbH
5  33  61,67/7 1/8 french:88,arabic:8,portuguese:4 | SARL|S.A.R.L.|SAS|S.A.
4  34  61,65/7 81/7 spanish:1 | S.L.|SL|S.A.
4  39  347,320/7 333/7 italian:1 | S.p.A.|SpA|S.r.l.|Srl
2  351 91,96/7 21/7 portuguese:1 | Lda.|Lda|S.A.
3  55  119,219/8 112/7 portuguese:92,italian:5,eastern:3 | Ltda.|Ltda|S.A.
2  52  55/8 200/7 spanish:1 | S.A. de C.V.|SA de CV
3  31  61,62/7 10/7 northern:1 | B.V.|BV|N.V.
2  46  70,73/7 8/6 northern:1 | AB
2  48  51,60/7 12/7 slavic:1 | Sp. z o.o.|S.A.
2  420 77/7 2/8 slavic:1 | s.r.o.|a.s.
3  90  53,54/8 212/7 turkish:1 | A.Ş.|Ltd. Şti.
5  7   916,903/7 301/7 russian:1 | ООО|OOO|LLC|АО
2  380 50,67/7 31/7 russian:1 | ТОВ|LLC
4  30  697,694/7 21/8 greek:1 | A.E.|S.A.|ΑΕ|Ltd
7  86  138,139/8 1012/6 chinese:1 | 有限公司|Co., Ltd.|Co Ltd
6  65  81,91/6 61/6 chinese:58,malay:16,tamil:18,english:8 | Pte. Ltd.|Pte Ltd|PTE LTD
4  60  12/7 323/6 malay:50,chinese:36,tamil:14 | Sdn. Bhd.|Sdn Bhd
3  62  812/8 21/7 malay:92,chinese:8 | PT|Tbk
3  81  901,908/7 31/7 eastern:1 | K.K.|Co., Ltd.
2  82  102/7 22/6 eastern:1 | Co., Ltd.|Inc.
5  880 17,18/8 13/8 bengal:40,muslim:60 | Ltd.|Limited
5  977 984,985/7 14/6 north:1 | Pvt. Ltd.|P. Ltd.
4  94  77,71/7 112/6 tamil:60,muslim:20,christian:20 | (Pvt) Ltd|PLC
3  61  41,42/7 21/7 english:84,chinese:10,north:6 | Pty Ltd|Pty. Ltd.
3  27  82,83/7 10/7 african:60,english:32,tamil:8 | (Pty) Ltd|Pty Ltd
3  254 71,72/7 20/7 african:90,gujarat:10 | Ltd|Limited
3  234 803,806/7 2033/6 african:1 | Ltd|Limited|PLC
"""

COMPANY_FIRST = (
    "Shree Sri Om Jai Maruti Ganesh Balaji Krishna Lakshmi Laxmi Sai Durga Ambika Gayatri Vishnu Shiva "
    "Royal Supreme National Universal Global Star Sun Moon Silver Golden Diamond Crystal Pearl Coral "
    "Ruby Emerald Everest Himalaya Ganga Yamuna Narmada Kaveri Godavari Deccan Konkan Malabar Coromandel "
    "Vindhya Nilgiri Aravali Apex Acme Alpha Beta Delta Omega Sigma Prime Pioneer Modern Metro Urban "
    "Classic Vintage Perfect Precise Reliable Unique United Allied Associated Eastern Western Northern "
    "Southern Central Pacific Atlantic Orient Zenith Summit Pinnacle Horizon Orbit Comet Galaxy Nova "
    "Lotus Jasmine Tulip Banyan Peepal Cedar Maple Falcon Eagle Peacock Tiger Panther Phoenix Unicorn "
    "Vertex Matrix Vector Quantum Fusion Spectrum Prism Beacon Anchor Harbour Bridge Tower Castle Crown "
    "Regal Noble Trust Faith Hope Unity Progress Success Victory Champion Bharat Hindustan Jagdamba "
    "Mahavir Parshwa Navkar Ashirwad Vardhman Siddhi Riddhi Shakti Pragati Vikas Kalpataru Swastik "
    "Trishul Chetak Arihant Akash Prithvi Agni Vayu Sagar Surya Chandra Kiran Jyoti Deepak Usha Sandhya"
)
COMPANY_SECOND = (
    "Traders Enterprises Industries Engineering Steel Metals Alloys Castings Forgings Tools Machines "
    "Textiles Fabrics Garments Exports Imports Chemicals Polymers Plastics Paints Pharma Lifesciences "
    "Healthcare Hospitals Diagnostics Foods Agro Seeds Dairy Beverages Spices Sugars Papers Packaging "
    "Printers Publishers Electronics Electricals Cables Switchgear Solar Power Energy Infotech Software "
    "Systems Technologies Solutions Networks Telecom Media Advertising Logistics Transport Roadways "
    "Shipping Cargo Motors Autos Tyres Bearings Pumps Valves Pipes Ceramics Tiles Cement Marbles "
    "Granites Timber Furniture Interiors Builders Developers Constructions Infra Realty Projects "
    "Consultants Associates Services Finance Capital Securities Jewellers Gems Toys Sports Travels "
    "Hotels Resorts Caterers Academy Labs Instruments Automation Robotics Controls Hydraulics"
)

# From here on, each entry is its weight, one space, and the text itself (which may begin or end in spaces);
# a bar stands between entries.
COMPANY_FORMS = (
    "17 Pvt. Ltd.|15 Pvt Ltd|14 Private Limited|6 PVT. LTD.|4 (P) Ltd.|2 P. Ltd|5 Ltd.|4 Limited|5 LLP|"
    "5 & Co.|5 & Sons|2 & Bros|1 (India) Pvt Ltd|15 "
)

MAIL_PROVIDERS = (
    "46 mail.example|18 post.example|12 inbox.example|9 webmail.example|6 fastpost.example|"
    "5 yourmail.example|4 letterbox.co.example"
)
ROLE_MAILBOXES = (
    "30 info|20 accounts|18 sales|10 purchase|7 admin|4 contact|4 office|3 support|2 hr|2 enquiry|2 billing"
)
MAIL_JUNK = (
    "22 NA|16 -|7 N/A|5 na@na.example|5 test@test.example|5 noemail@noemail.example|6 nil|5 .|4 none|"
    "4 not available|4 abc@abc.example|3 xxx|3 no mail|2 will send later|2 #N/A|2 @|3 0|2 null"
)
MAIL_LEADS = "40 mailto:|14 Email: |10 e-mail - |8  |8 <|6 Mail id: "
MAIL_TAILS = "30 .|24 ,|14 ;|14  |8 >|6  (personal)|4 /"

PHONE_JUNK = (
    "16 NA|14 -|5 N/A|3 test|5 0|12 0000000000|10 9999999999|6 1234567890|2 9876543210|3 1111111111|"
    "4 nil|4 .|2 xxxxxxxxxx|3 NOT AVAILABLE|2 not given|2 same as above|2 call office|2 #N/A|"
    "1 2147483647|1 98765abcde|3 +91|1 91"
)
PHONE_LABELS = (
    "14 Mob: |10 Mob. |8 M: |6 M-|10 Ph: |6 Ph. |8 Tel: |4 Cell: |6 Mobile No. |5 WhatsApp |4 Phone - |8  |"
    "2 Tel No:"
)
PHONE_TAILS = "8  (M)|5 (M)|5  (O)|2  (R)|4  (WhatsApp)|3 .|4 ,|6  |3 /"
EXTENSIONS = "10  ext. |10  ext |8  x|8  Extn. |4  extn:|4  Ext-|3 x"

# How numbers are written: C is the country code, {5} five digits, {a} the area code, {*} the rest.
# Domestic ones are foreign numbers without their country.
INDIAN_MOBILES = (
    "30 {*}|12 +91{*}|9 +91 {5} {*}|9 +91-{*}|6 +91-{5} {*}|6 0{*}|4 0{5} {*}|5 91{*}|3 91 {5}-{*}|4 {5} {*}|"
    "3 {5}-{*}|2 {3} {3} {*}|1 {4} {3} {*}|2 0091{*}|1 0091-{5}-{*}|1 (+91) {*}|1 +91 (0) {*}|1 +91.{5}.{*}"
)
INDIAN_DESKS = (
    "20 0{a}-{*}|16 (0{a}) {4} {*}|14 +91 {a} {*}|12 +91-{a}-{*}|10 0{*}|8 0{a} {4} {*}|6 91-{a}-{*}|"
    "6 +91 {a} {4} {*}|4 +91 (0){a} {*}|2 0091 {a} {*}"
)
FOREIGN_NUMBERS = (
    "34 +C{*}|22 +C {a} {*}|14 +C {a} {3} {*}|10 +C-{a}-{*}|8 00C{*}|6 00C {a} {*}|4 +C ({a}) {*}|"
    "2 +C.{a}.{*}"
)
DOMESTIC_NUMBERS = "60 0{a} {*}|40 {*}"

HONORIFICS_MEN = (
    "40 Mr. |22 Mr |6 Mr.|6 MR. |10 Shri |3 Sh. |2 Sri |3 Er. |2 CA |4 Dr. |2 Dr |2 M/s |2 Capt. "
)
HONORIFICS_WOMEN = "34 Ms. |18 Ms |22 Mrs. |6 Mrs |5 Miss |9 Smt. |4 Dr. |2 Dr |2 Kum. "
NAME_TAILS = (
    "20  ji|16  Sir|6 ji|10  (Accounts)|8  - Purchase|3  Sahab|8  Bhai|5 (Owner)|5  / Accounts|6 ,|6 .|"
    "1  🙂|2  *|3  (new)|1  [DO NOT CALL]"
)
NOBODY_NAMES = (
    "9 NA|5 N/A|3 na|8 -|3 --|5 .|7 test|4 Test|2 TEST|2 test test|2 testing|4 xyz|4 abc|2 asdf|3 xxx|"
    "3 nil|3 none|2 null|2 NULL|3 unknown|2 No Name|3 not available|4 0|2 1|3 123|2 12345|2 ???|"
    "3 customer|2 dummy|2 contact person|5 |2  |2 9876543210|2 accounts|2 Accounts Dept|"
    "2 Purchase Department|2 Reception|1 Store"
)

# Titles with the other notations of the same title; `_` stands for a space. The commoner ones come first.
TITLES = (
    "Manager/Mgr/Manger/MANAGER Accountant/Accounts/Acct Director/Dir./DIRECTOR "
    "Proprietor/Prop./Propritor/Owner Purchase_Manager/Purchase_Mgr/Manager_-_Purchase/Purchase_Manger "
    "Sales_Manager/Sales_Mgr./Manager_–_Sales General_Manager/GM/G.M. Partner/partner "
    "Accounts_Manager/Manager_Accounts/Ac_Manager Managing_Director/MD/M.D. Executive/Exec. "
    "Sales_Executive/Sales_Exec Purchase_Officer/Purchase_Off. HR_Manager/Manager_HR/HR "
    "CEO/Chief_Executive_Officer CFO/Chief_Financial_Officer/Finance_Head "
    "Finance_Manager/Manager_Finance Sr._Manager/Senior_Manager/Sr_Mgr "
    "Asst._Manager/Assistant_Manager/AM Engineer/Engg. Project_Manager/PM "
    "Store_Manager/Stores/Store_Incharge Admin/Administrator Plant_Head/Plant_Manager "
    "IT_Manager/Manager_IT/EDP_Manager Supervisor/Supervisior Vice_President/VP/V.P. Consultant "
    "Secretary/PA_to_MD Marketing_Manager/Manager_Marketing Office_Assistant/Asst. "
    "Quality_Manager/QA_Manager Company_Secretary/CS Chartered_Accountant/CA "
    "Production_Manager/Prod._Manager Logistics_Manager/Logistics Receptionist Architect Doctor Professor"
)
OTHER_RELATIONS = (
    "30 Vendor|24 Supplier|6 vendor - raw material|5 Supplier of packing material|5 Service Vendor|14 Lead|"
    "6 New lead|14 Prospect|4 prospect (exhibition)|4 LEAD - website|4 SUPPLIER"
)
TITLE_JUNK = (
    "24 NA|20 -|9 N/A|8 .|6 nil|3 test|5 0|3 xxx|4 none|3 ?|3 not known|6 Select|1 <b>Manager</b>|"
    "1 Manager &amp; Partner|1 '; --|1 =1+1"
)

OWNERS = (
    "Anita Solanki|Ravi Menon|Sunita Rao|Karan Shah|Deepa Iyer|Manoj Tiwari|Farah Khan|Joseph Mathew|"
    "Neha Gupta|Vikram Joshi|Priya Nair|Rohit Sethi|Kavya Reddy|Imran Ansari|Meera Kulkarni|Gaurav Jain|"
    "Pooja Verma|Harish Gowda|Sneha Patil|Tarun Bose|Leena D'Souza|Suresh Babu|Divya Pillai|Amit Saxena|"
    "Ritu Arora|Nilesh Mehta|Shalini Das|Prakash Hegde|Yamini Raju|Zubair Qureshi|Mona Sidhu|Ajit Thorat|"
    "Bhavna Parikh|Chetan Dave|Esha Mitra|Girish Naik|Hema Murthy|Ishaan Kapoor|Jaya Sen|Kunal Vaidya"
)
